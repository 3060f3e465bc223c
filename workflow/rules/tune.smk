# Searches share the cores: each job that waits for all of them would leave some idle.
try:
    SEARCH_THREADS = max(1, (workflow.cores or 1) // max(1, PLAN.searches))
except WorkflowError:  # Snakemake was called without --cores, for a report say
    SEARCH_THREADS = 1


rule tune:
    input:
        analysis=lambda w: plan_of(w).trained_on(w.emulator),
        model=lambda w: [
            path
            for need, path in plan_of(w).training_inputs(w.emulator).items()
            if need == "model"
        ],
    output:
        "results/{study}/{scenario}/tuning/{emulator}.nc",
    log:
        "results/{study}/{scenario}/logs/tune-{emulator}.log",
    wildcard_constraints:
        emulator=PLAN.tuned("emulators"),
    conda:
        "../../environment.yml"
    threads: SEARCH_THREADS
    resources:
        workers=PLAN.workers,
    params:
        settings=lambda w: plan_of(w).emulator_settings(w.emulator),
        search=lambda w: plan_of(w).tune_settings("emulators", w.emulator),
        inputs=lambda w: plan_of(w).training_options(w.emulator),
        seed=seed_of,
        plugins=lambda w: plan_of(w).model_code(w.emulator).options,
        code=lambda w: plan_of(w).model_code(w.emulator).digest("tune"),
    shell:
        "python -m assimilearn tune {input.analysis:q} {output:q} --settings {params.settings:q} "
        "--search {params.search:q} {params.inputs:q} --workers {threads} --on {resources.workers:q} --seed {params.seed:q} "
        "--label {wildcards.study:q}/{wildcards.scenario:q}/{wildcards.emulator:q} {params.plugins:q} 2> {log:q}"


# Of an analysis, and with it of the emulator that is its model. The truth is an input only where a search for the
# smallest error against it asks for that by name.
rule tune_analysis:
    input:
        unpack(lambda w: plan_of(w).search_inputs(w.analysis)),
        observations="results/{study}/{scenario}/observations.nc",
        climate=lambda w: plan_of(w).climate_of_analysis(w.analysis),
    output:
        "results/{study}/{scenario}/tuning/{analysis}.nc",
    log:
        "results/{study}/{scenario}/logs/tune-analysis-{analysis}.log",
    wildcard_constraints:
        analysis=PLAN.tuned("analyses"),
    conda:
        "../../environment.yml"
    threads: SEARCH_THREADS
    resources:
        workers=PLAN.workers,
    params:
        settings=lambda w: plan_of(w).analysis_settings(w.analysis),
        search=lambda w: plan_of(w).tune_settings("analyses", w.analysis),
        inputs=lambda w: plan_of(w).search_options(w.analysis),
        seed=seed_of,
        plugins=lambda w: plan_of(w).analysis_code(w.analysis).options,
        code=lambda w: plan_of(w).analysis_code(w.analysis).digest("tune-analysis"),
    shell:
        "python -m assimilearn tune-analysis {input.observations:q} {output:q} --climate {input.climate:q} "
        "--settings {params.settings:q} --search {params.search:q} {params.inputs:q} --workers {threads} "
        "--on {resources.workers:q} --seed {params.seed:q} "
        "--label {wildcards.study:q}/{wildcards.scenario:q}/{wildcards.analysis:q} {params.plugins:q} 2> {log:q}"
