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
        code=PLAN.code("climate"),
    shell:
        "python -m assimilearn climate {output} --model {params.model:q} --settings {params.settings:q} "
        "--seed {params.seed} --label {wildcards.study}/{wildcards.scenario}/{wildcards.model} 2> {log}"


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
        code=PLAN.code("simulate"),
    shell:
        "python -m assimilearn simulate {input.model} {output} --settings {params.settings:q} "
        "--periods {params.periods:q} --every {params.every:q} --seed {params.seed} "
        "--label {wildcards.study}/{wildcards.scenario}/truth 2> {log}"


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
        code=PLAN.code("ingest-truth"),
    shell:
        "python -m assimilearn ingest-truth {input.file} {output} --observations {input.observations} "
        "--model {input.model} --label {wildcards.study}/{wildcards.scenario}/truth 2> {log}"
