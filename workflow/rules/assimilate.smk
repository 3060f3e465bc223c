rule assimilate:
    input:
        observations="results/{study}/{scenario}/observations.nc",
        model=lambda w: plan_of(w).model_of(w.analysis),
        climate=lambda w: plan_of(w).climate_of_analysis(w.analysis),
        assimilator=lambda w: plan_of(w).analysis_assimilator(w.analysis),
        tuned=lambda w: plan_of(w).tuning_of_analysis(w.analysis),
        truth=lambda w: plan_of(w).beginning_truth(w.analysis),
    output:
        "results/{study}/{scenario}/analyses/{analysis}.nc",
    log:
        "results/{study}/{scenario}/logs/assimilate-{analysis}.log",
    wildcard_constraints:
        analysis=PLAN.names("analyses"),
    conda:
        "../../environment.yml"
    params:
        settings=lambda w: plan_of(w).analysis_settings(w.analysis),
        assimilator=lambda w: option(
            "--assimilator", plan_of(w).analysis_assimilator(w.analysis)
        ),
        tuned=lambda w: option("--tuned", plan_of(w).tuning_of_analysis(w.analysis)),
        start=lambda w: plan_of(w).beginning(w.analysis),
        truth=lambda w: option("--truth", plan_of(w).beginning_truth(w.analysis)),
        seed=seed_of,
        plugins=lambda w: plan_of(w).analysis_code(w.analysis).options,
        code=lambda w: plan_of(w).analysis_code(w.analysis).digest("assimilate"),
    shell:
        "python -m assimilearn assimilate {input.observations:q} {output:q} --model {input.model:q} "
        "--climate {input.climate:q} {params.assimilator:q} --settings {params.settings:q} {params.tuned:q} --start {params.start:q} {params.truth:q} --seed {params.seed:q} "
        "--label {wildcards.study:q}/{wildcards.scenario:q}/{wildcards.analysis:q} {params.plugins:q} 2> {log:q}"
