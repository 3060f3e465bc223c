rule train:
    input:
        analysis=lambda w: plan_of(w).trained_on(w.emulator),
        tuned=lambda w: plan_of(w).tuning(w.emulator),
    output:
        "results/{study}/{scenario}/emulators/{emulator}.nc",
    log:
        "results/{study}/{scenario}/logs/train-{emulator}.log",
    conda:
        "../../environment.yml"
    params:
        settings=lambda w: plan_of(w).emulator_settings(w.emulator),
        tuned=lambda w: " ".join(
            f"--tuned {path}" for path in plan_of(w).tuning(w.emulator)
        ),
        seed=seed_of,
        code=PLAN.code("train"),
    shell:
        "python -m assimilearn train {input.analysis} {output} --settings {params.settings:q} "
        "{params.tuned} --seed {params.seed} "
        "--label {wildcards.study}/{wildcards.scenario}/{wildcards.emulator} 2> {log}"
