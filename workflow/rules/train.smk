rule train:
    input:
        unpack(lambda w: plan_of(w).training_inputs(w.emulator)),
        tuned=lambda w: plan_of(w).tuning(w.emulator),
    output:
        "results/{study}/{scenario}/emulators/{emulator}.nc",
    log:
        "results/{study}/{scenario}/logs/train-{emulator}.log",
    wildcard_constraints:
        emulator=PLAN.names("emulators"),
    conda:
        "../../environment.yml"
    threads: lambda w: plan_of(w).training_threads(w.emulator)
    params:
        settings=lambda w: plan_of(w).emulator_settings(w.emulator),
        tuned=lambda w: option("--tuned", plan_of(w).tuning(w.emulator)),
        inputs=lambda w: plan_of(w).training_options(w.emulator),
        seed=seed_of,
        plugins=lambda w: plan_of(w).model_code(w.emulator).options,
        code=lambda w: plan_of(w).model_code(w.emulator).digest("train"),
    shell:
        "python -m assimilearn train {input.analysis:q} {output:q} --settings {params.settings:q} "
        "{params.tuned:q} {params.inputs:q} --workers {threads} --seed {params.seed:q} "
        "--label {wildcards.study:q}/{wildcards.scenario:q}/{wildcards.emulator:q} {params.plugins:q} 2> {log:q}"
