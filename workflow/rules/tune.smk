# Searches share the cores: each job that waits for all of them would leave some idle.
try:
    SEARCH_THREADS = max(1, (workflow.cores or 1) // max(1, PLAN.searches))
except WorkflowError:  # Snakemake was called without --cores, for a report say
    SEARCH_THREADS = 1


rule tune:
    input:
        analysis=lambda w: plan_of(w).trained_on(w.emulator),
    output:
        "results/{study}/{scenario}/tuning/{emulator}.nc",
    log:
        "results/{study}/{scenario}/logs/tune-{emulator}.log",
    conda:
        "../../environment.yml"
    threads: SEARCH_THREADS
    params:
        settings=lambda w: plan_of(w).emulator_settings(w.emulator),
        search=lambda w: plan_of(w).tune_settings(w.emulator),
        seed=seed_of,
        plugins=lambda w: plan_of(w).model_code(w.emulator).options,
        code=lambda w: plan_of(w).model_code(w.emulator).digest("tune"),
    shell:
        "python -m assimilearn tune {input.analysis:q} {output:q} --settings {params.settings:q} "
        "--search {params.search:q} --workers {threads} --seed {params.seed:q} "
        "--label {wildcards.study:q}/{wildcards.scenario:q}/{wildcards.emulator:q} {params.plugins:q} 2> {log:q}"
