rule sweep:
    input:
        model=lambda w: plan_of(w).swept_model(w.sweep),
        truth_model=lambda w: plan_of(w).swept_truth(w.sweep),
        climate=lambda w: plan_of(w).climate_of(
            plan_of(w).settings.sweeps[w.sweep].model
        ),
        assimilator=lambda w: plan_of(w).swept_assimilator(w.sweep),
    output:
        "results/{study}/{scenario}/sweeps/{sweep}.nc",
    log:
        "results/{study}/{scenario}/logs/sweep-{sweep}.log",
    conda:
        "../../environment.yml"
    threads: lambda w: plan_of(w).sweep_threads(w.sweep)
    resources:
        workers=PLAN.workers,
    params:
        settings=lambda w: plan_of(w).sweep_settings(w.sweep),
        truth=lambda w: plan_of(w).truth_settings,
        observations=lambda w: plan_of(w).swept_observations(w.sweep),
        regions=lambda w: plan_of(w).regions,
        content=lambda w: plan_of(w).network_content,
        assimilator=lambda w: option(
            "--assimilator", plan_of(w).swept_assimilator(w.sweep)
        ),
        seed=seed_of,
        plugins=lambda w: plan_of(w).sweep_code(w.sweep).options,
        code=lambda w: plan_of(w).sweep_code(w.sweep).digest("sweep"),
    shell:
        "python -m assimilearn sweep {output:q} --model {input.model:q} --truth-model {input.truth_model:q} "
        "--climate {input.climate:q} {params.assimilator:q} --settings {params.settings:q} --truth {params.truth:q} "
        "--observations {params.observations:q} --regions {params.regions:q} --workers {threads} --on {resources.workers:q} --seed {params.seed:q} "
        "--label {wildcards.study:q}/{wildcards.scenario:q}/{wildcards.sweep:q} {params.plugins:q} 2> {log:q}"
