rule climate:
    output:
        "results/{study}/{scenario}/models/{model}.nc",
    log:
        "results/{study}/{scenario}/logs/climate-{model}.log",
    conda:
        "../../environment.yml"
    params:
        model=lambda w: plan_of(w).model_settings(w.model),
        settings=lambda w: plan_of(w).part("climate"),
        seed=seed_of,
        plugins=lambda w: plan_of(w).model_code(w.model).options,
        code=lambda w: plan_of(w).model_code(w.model).digest("climate"),
    shell:
        "python -m assimilearn climate {output:q} --model {params.model:q} --settings {params.settings:q} "
        "--seed {params.seed:q} --label {wildcards.study:q}/{wildcards.scenario:q}/{wildcards.model:q} {params.plugins:q} 2> {log:q}"


rule simulate:
    input:
        model=lambda w: plan_of(w).climatology_file(plan_of(w).truth_model),
        onto=lambda w: plan_of(w).kept_in,
    output:
        "results/{study}/{scenario}/truth.nc",
    log:
        "results/{study}/{scenario}/logs/simulate.log",
    wildcard_constraints:
        scenario=PLAN.pattern(brought=False),
    conda:
        "../../environment.yml"
    params:
        settings=lambda w: plan_of(w).truth_settings,
        periods=lambda w: plan_of(w).part("periods"),
        every=lambda w: plan_of(w).every,
        onto=lambda w: plan_of(w).onto_option,
        seed=seed_of,
        plugins=lambda w: plan_of(w).model_code(plan_of(w).truth_model).options,
        code=lambda w: plan_of(w).model_code(plan_of(w).truth_model).digest("simulate"),
    shell:
        "python -m assimilearn simulate {input.model:q} {output:q} --settings {params.settings:q} "
        "--periods {params.periods:q} --every {params.every:q} {params.onto:q} --seed {params.seed:q} "
        "--label {wildcards.study:q}/{wildcards.scenario:q}/truth {params.plugins:q} 2> {log:q}"


rule ingest_truth:
    input:
        observations="results/{study}/{scenario}/observations.nc",
        model=lambda w: plan_of(w).physics,
    output:
        "results/{study}/{scenario}/truth.nc",
    log:
        "results/{study}/{scenario}/logs/ingest-truth.log",
    wildcard_constraints:
        scenario=PLAN.pattern(brought=True),
    conda:
        "../../environment.yml"
    params:
        file=lambda w: plan_of(w).brought["truth"],
        content=lambda w: content_of(plan_of(w).brought["truth"]),
        model=lambda w: plan_of(w).physics_option,
        plugins=lambda w: plan_of(w).model_code(plan_of(w).first_model).options,
        code=lambda w: plan_of(w)
        .model_code(plan_of(w).first_model)
        .digest("ingest-truth"),
    shell:
        "python -m assimilearn ingest-truth --observations {input.observations:q} {params.model:q} "
        "--label {wildcards.study:q}/{wildcards.scenario:q}/truth {params.plugins:q} "
        "-- {params.file:q} {output:q} 2> {log:q}"
