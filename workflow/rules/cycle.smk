# A loop: the emulator of a cycle learns from the analysis of the cycle before, the analysis of a cycle is made with the
# emulator of that cycle. Cycle 0 is the analysis that the loop starts from. Neither the truth nor anything of the model
# that made it is an input of this: the climatology is that of the analysis of the cycle before.
rule learn_again:
    input:
        analysis=lambda w: plan_of(w).analysis_before(w.loop, int(w.cycle)),
        observations="results/{study}/{scenario}/observations.nc",
        previous=lambda w: plan_of(w).emulator_before(w.loop, int(w.cycle)),
    output:
        "results/{study}/{scenario}/loops/{loop}/{cycle}/emulator.nc",
    log:
        "results/{study}/{scenario}/logs/learn-again-{loop}-{cycle}.log",
    conda:
        "../../environment.yml"
    threads: lambda w: plan_of(w).cycle_threads(w.loop)
    params:
        settings=lambda w: plan_of(w).cycle_emulator_settings(w.loop, int(w.cycle)),
        stopping=lambda w: plan_of(w).settings.loops[w.loop].stopping.canonical(),
        previous=lambda w: option(
            "--previous", plan_of(w).emulator_before(w.loop, int(w.cycle))
        ),
        seed=seed_of,
        plugins=lambda w: plan_of(w).cycle_code(w.loop).options,
        code=lambda w: plan_of(w).cycle_code(w.loop).digest("learn-again"),
    shell:
        "python -m assimilearn learn-again {input.analysis:q} {output:q} --observations {input.observations:q} "
        "{params.previous:q} --settings {params.settings:q} --stopping {params.stopping:q} --workers {threads} "
        "--cycle {wildcards.cycle:q} --seed {params.seed:q} "
        "--label {wildcards.study:q}/{wildcards.scenario:q}/{wildcards.loop:q}.{wildcards.cycle:q} {params.plugins:q} 2> {log:q}"


rule assimilate_again:
    input:
        observations="results/{study}/{scenario}/observations.nc",
        emulator="results/{study}/{scenario}/loops/{loop}/{cycle}/emulator.nc",
        previous=lambda w: plan_of(w).analysis_before(w.loop, int(w.cycle)),
    output:
        "results/{study}/{scenario}/loops/{loop}/{cycle}/analysis.nc",
    log:
        "results/{study}/{scenario}/logs/assimilate-again-{loop}-{cycle}.log",
    conda:
        "../../environment.yml"
    params:
        settings=lambda w: plan_of(w).settings.loops[w.loop].analysis.canonical(),
        seed=seed_of,
        plugins=lambda w: plan_of(w).cycle_code(w.loop).options,
        code=lambda w: plan_of(w).cycle_code(w.loop).digest("assimilate-again"),
    shell:
        "python -m assimilearn assimilate-again {input.observations:q} {output:q} --emulator {input.emulator:q} "
        "--previous {input.previous:q} --settings {params.settings:q} "
        "--cycle {wildcards.cycle:q} --seed {params.seed:q} "
        "--label {wildcards.study:q}/{wildcards.scenario:q}/{wildcards.loop:q}.{wildcards.cycle:q} {params.plugins:q} 2> {log:q}"


rule best_cycle:
    input:
        lambda w: [
            f"{folder}/{name}.nc"
            for folder in plan_of(w).cycle_folders(w.loop)
            for name in ("analysis", "emulator")
        ],
    output:
        analysis="results/{study}/{scenario}/analyses/{loop}.nc",
        emulator="results/{study}/{scenario}/emulators/{loop}.nc",
    log:
        "results/{study}/{scenario}/logs/best-cycle-{loop}.log",
    conda:
        "../../environment.yml"
    params:
        folders=lambda w: plan_of(w).cycle_folders(w.loop),
        seed=seed_of,
        code=PLAN.code("best-cycle"),
    shell:
        "python -m assimilearn best-cycle {output.analysis:q} {output.emulator:q} {params.folders:q} --seed {params.seed:q} "
        "--label {wildcards.study:q}/{wildcards.scenario:q}/{wildcards.loop:q} 2> {log:q}"


rule score_cycle:
    input:
        analysis="results/{study}/{scenario}/loops/{loop}/{cycle}/analysis.nc",
        observations="results/{study}/{scenario}/observations.nc",
        truth=lambda w: plan_of(w).truth,
        withheld=lambda w: plan_of(w).withheld,
    output:
        "results/{study}/{scenario}/scores/loops/{loop}/{cycle}.nc",
    log:
        "results/{study}/{scenario}/logs/score-cycle-{loop}-{cycle}.log",
    conda:
        "../../environment.yml"
    params:
        truth=lambda w: plan_of(w).truth_option,
        withheld=lambda w: plan_of(w).withheld_option,
        seed=seed_of,
        plugins=lambda w: plan_of(w).observing_code.options,
        code=lambda w: plan_of(w).observing_code.digest("score-analysis"),
    shell:
        "python -m assimilearn score-analysis {input.analysis:q} {output:q} --observations {input.observations:q} "
        "{params.truth:q} {params.withheld:q} --seed {params.seed:q} {params.plugins:q} "
        "--label {wildcards.study:q}/{wildcards.scenario:q}/{wildcards.loop:q}.{wildcards.cycle:q} 2> {log:q}"
