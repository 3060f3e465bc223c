rule observe:
    input:
        truth="results/{study}/{scenario}/truth.nc",
        network=lambda w: plan_of(w).network_file,
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
        seed=seed_of,
        code=PLAN.code("observe"),
    shell:
        "python -m assimilearn observe {input.truth} {output} --settings {params.settings:q} "
        "--seed {params.seed} --label {wildcards.study}/{wildcards.scenario}/observations 2> {log}"


rule ingest:
    input:
        file=lambda w: plan_of(w).brought["observations"],
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
        periods=lambda w: plan_of(w).part("periods"),
        error_std=lambda w: plan_of(w).error_std_option,
        time_unit=lambda w: plan_of(w).time_unit_option,
        plugins=lambda w: plan_of(w).model_code(plan_of(w).first_model).options,
        code=lambda w: plan_of(w).model_code(plan_of(w).first_model).digest("ingest"),
    shell:
        "python -m assimilearn ingest {input.file} {output} --model {input.model} --periods {params.periods:q} "
        "{params.error_std} {params.time_unit:q} --label {wildcards.study}/{wildcards.scenario}/observations {params.plugins} 2> {log}"
