rule observe:
    input:
        truth="results/{study}/{scenario}/truth.nc",
    output:
        "results/{study}/{scenario}/observations.nc",
    log:
        "results/{study}/{scenario}/logs/observe.log",
    wildcard_constraints:
        scenario=PLAN.pattern(brought=False),
    conda:
        "../../environment.yml"
    params:
        settings=lambda w: plan_of(w).part("observations"),
        content=lambda w: plan_of(w).network_content,
        seed=seed_of,
        code=PLAN.code("observe"),
    shell:
        "python -m assimilearn observe {input.truth:q} {output:q} --settings {params.settings:q} "
        "--seed {params.seed:q} --label {wildcards.study:q}/{wildcards.scenario:q}/observations 2> {log:q}"


rule ingest:
    input:
        model=lambda w: plan_of(w).climate,
    output:
        "results/{study}/{scenario}/observations.nc",
    log:
        "results/{study}/{scenario}/logs/ingest.log",
    wildcard_constraints:
        scenario=PLAN.pattern(brought=True),
    conda:
        "../../environment.yml"
    params:
        file=lambda w: plan_of(w).brought["observations"],
        content=lambda w: content_of(plan_of(w).brought["observations"]),
        periods=lambda w: plan_of(w).part("periods"),
        error_std=lambda w: plan_of(w).error_std_option,
        time_unit=lambda w: plan_of(w).time_unit_option,
        plugins=lambda w: plan_of(w).model_code(plan_of(w).first_model).options,
        code=lambda w: plan_of(w).model_code(plan_of(w).first_model).digest("ingest"),
    shell:
        "python -m assimilearn ingest --model {input.model:q} --periods {params.periods:q} {params.error_std:q} "
        "{params.time_unit:q} --label {wildcards.study:q}/{wildcards.scenario:q}/observations {params.plugins:q} "
        "-- {params.file:q} {output:q} 2> {log:q}"
