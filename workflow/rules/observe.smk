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
        plugins=lambda w: plan_of(w).observing_code.options,
        code=lambda w: plan_of(w).observing_code.digest("observe"),
    shell:
        "python -m assimilearn observe {input.truth:q} {output:q} {params.plugins:q} --settings {params.settings:q} "
        "--seed {params.seed:q} --label {wildcards.study:q}/{wildcards.scenario:q}/observations 2> {log:q}"


# Of a record without a model the sites and the time step are its own.
rule ingest:
    input:
        lambda w: plan_of(w).physics,
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
        settings=lambda w: plan_of(w).record_settings,
        model=lambda w: plan_of(w).physics_option,
        seed=seed_of,
        plugins=lambda w: plan_of(w).model_code(plan_of(w).first_model).options,
        code=lambda w: plan_of(w).model_code(plan_of(w).first_model).digest("ingest"),
    shell:
        "python -m assimilearn ingest {params.model:q} --periods {params.periods:q} --settings {params.settings:q} "
        "--seed {params.seed:q} --label {wildcards.study:q}/{wildcards.scenario:q}/observations {params.plugins:q} "
        "-- {params.file:q} {output:q} 2> {log:q}"


# What is withheld is an input of verification alone.
rule withhold:
    input:
        lambda w: plan_of(w).physics,
    output:
        "results/{study}/{scenario}/withheld.nc",
    log:
        "results/{study}/{scenario}/logs/withhold.log",
    wildcard_constraints:
        scenario=PLAN.pattern(brought=True),
    conda:
        "../../environment.yml"
    params:
        file=lambda w: plan_of(w).brought["observations"],
        content=lambda w: content_of(plan_of(w).brought["observations"]),
        periods=lambda w: plan_of(w).part("periods"),
        settings=lambda w: plan_of(w).record_settings,
        model=lambda w: plan_of(w).physics_option,
        seed=seed_of,
        plugins=lambda w: plan_of(w).model_code(plan_of(w).first_model).options,
        code=lambda w: plan_of(w).model_code(plan_of(w).first_model).digest("ingest"),
    shell:
        "python -m assimilearn ingest --withheld {params.model:q} --periods {params.periods:q} "
        "--settings {params.settings:q} --seed {params.seed:q} "
        "--label {wildcards.study:q}/{wildcards.scenario:q}/withheld {params.plugins:q} "
        "-- {params.file:q} {output:q} 2> {log:q}"


# The climatology of a record, from its training period: where there is no model, or an analysis asks for it.
rule climatology:
    input:
        "results/{study}/{scenario}/observations.nc",
    output:
        "results/{study}/{scenario}/climatology.nc",
    log:
        "results/{study}/{scenario}/logs/climatology.log",
    conda:
        "../../environment.yml"
    params:
        settings=lambda w: plan_of(w).climatology_settings,
        seed=seed_of,
        code=PLAN.code("climatology"),
    shell:
        "python -m assimilearn climatology {input:q} {output:q} --settings {params.settings:q} --seed {params.seed:q} "
        "--label {wildcards.study:q}/{wildcards.scenario:q}/climatology 2> {log:q}"
