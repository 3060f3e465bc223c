rule sweep:
    input:
        model=lambda w: plan_of(w).swept_model(w.sweep),
        truth_model=lambda w: plan_of(w).model_file(plan_of(w).truth_model),
        climate=lambda w: plan_of(w).climate,
        network=lambda w: plan_of(w).network_file,
    output:
        "results/{study}/{scenario}/sweeps/{sweep}.nc",
    log:
        "results/{study}/{scenario}/logs/sweep-{sweep}.log",
    conda:
        "../../environment.yml"
    threads: lambda w: plan_of(w).sweep_threads(w.sweep)
    params:
        settings=lambda w: plan_of(w).sweep_settings(w.sweep),
        truth=lambda w: plan_of(w).truth_settings,
        observations=lambda w: plan_of(w).part("observations"),
        seed=seed_of,
        plugins=lambda w: plan_of(w).sweep_code(w.sweep).options,
        code=lambda w: plan_of(w).sweep_code(w.sweep).digest("sweep"),
    shell:
        "python -m assimilearn sweep {output} --model {input.model} --truth-model {input.truth_model} "
        "--climate {input.climate} --settings {params.settings:q} --truth {params.truth:q} "
        "--observations {params.observations:q} --workers {threads} --seed {params.seed} "
        "--label {wildcards.study}/{wildcards.scenario}/{wildcards.sweep} {params.plugins} 2> {log}"
