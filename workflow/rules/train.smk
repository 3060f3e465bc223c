rule train:
    input:
        analysis=lambda w: plan_of(w).trained_on(w.emulator),
        tuned=lambda w: plan_of(w).tuning(w.emulator),
        observations=lambda w: plan_of(w).learned_observations(w.emulator),
    output:
        "results/{study}/{scenario}/emulators/{emulator}.nc",
    log:
        "results/{study}/{scenario}/logs/train-{emulator}.log",
    wildcard_constraints:
        emulator=PLAN.names("emulators"),
    conda:
        "../../environment.yml"
    threads: lambda w: 2 if plan_of(w).learned_observations(w.emulator) else 1
    params:
        settings=lambda w: plan_of(w).emulator_settings(w.emulator),
        tuned=lambda w: " ".join(
            f"--tuned {path}" for path in plan_of(w).tuning(w.emulator)
        ),
        observations=lambda w: " ".join(
            f"--observations {path}"
            for path in plan_of(w).learned_observations(w.emulator)
        ),
        seed=seed_of,
        plugins=lambda w: plan_of(w).model_code(w.emulator).options,
        code=lambda w: plan_of(w).model_code(w.emulator).digest("train"),
    shell:
        "python -m assimilearn train {input.analysis} {output} --settings {params.settings:q} "
        "{params.tuned} {params.observations} --workers {threads} --seed {params.seed} "
        "--label {wildcards.study}/{wildcards.scenario}/{wildcards.emulator} {params.plugins} 2> {log}"
