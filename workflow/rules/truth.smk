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
        "python -m assimilearn climate {output} --model {params.model:q} --settings {params.settings:q} "
        "--seed {params.seed} --label {wildcards.study}/{wildcards.scenario}/{wildcards.model} {params.plugins} 2> {log}"


rule simulate:
    input:
        model=lambda w: plan_of(w).model_file(plan_of(w).truth_model),
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
        seed=seed_of,
        plugins=lambda w: plan_of(w).model_code(plan_of(w).truth_model).options,
        code=lambda w: plan_of(w).model_code(plan_of(w).truth_model).digest("simulate"),
    shell:
        "python -m assimilearn simulate {input.model} {output} --settings {params.settings:q} "
        "--periods {params.periods:q} --every {params.every:q} --seed {params.seed} "
        "--label {wildcards.study}/{wildcards.scenario}/truth {params.plugins} 2> {log}"


rule ingest_truth:
    input:
        file=lambda w: plan_of(w).brought["truth"],
        observations="results/{study}/{scenario}/observations.nc",
        model=lambda w: plan_of(w).climate,
    output:
        "results/{study}/{scenario}/truth.nc",
    log:
        "results/{study}/{scenario}/logs/ingest-truth.log",
    wildcard_constraints:
        scenario=PLAN.pattern(brought=True),
    conda:
        "../../environment.yml"
    params:
        plugins=lambda w: plan_of(w).model_code(plan_of(w).first_model).options,
        code=lambda w: plan_of(w)
        .model_code(plan_of(w).first_model)
        .digest("ingest-truth"),
    shell:
        "python -m assimilearn ingest-truth {input.file} {output} --observations {input.observations} "
        "--model {input.model} --label {wildcards.study}/{wildcards.scenario}/truth {params.plugins} 2> {log}"
