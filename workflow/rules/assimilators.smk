# The truth is an input of what asks for it by its settings, and of nothing else.
rule train_assimilator:
    input:
        unpack(lambda w: plan_of(w).assimilator_inputs(w.assimilator)),
    output:
        "results/{study}/{scenario}/assimilators/{assimilator}.nc",
    log:
        "results/{study}/{scenario}/logs/train-assimilator-{assimilator}.log",
    conda:
        "../../environment.yml"
    params:
        settings=lambda w: plan_of(w).assimilator_settings(w.assimilator),
        inputs=lambda w: plan_of(w).assimilator_options(w.assimilator),
        seed=seed_of,
        plugins=lambda w: plan_of(w).assimilator_code(w.assimilator).options,
        code=lambda w: plan_of(w)
        .assimilator_code(w.assimilator)
        .digest("train-assimilator"),
    shell:
        "python -m assimilearn train-assimilator {input.observations:q} {output:q} {params.inputs:q} "
        "--settings {params.settings:q} --seed {params.seed:q} "
        "--label {wildcards.study:q}/{wildcards.scenario:q}/{wildcards.assimilator:q} {params.plugins:q} 2> {log:q}"
