rule score_analysis:
    input:
        analysis="results/{study}/{scenario}/analyses/{analysis}.nc",
        observations="results/{study}/{scenario}/observations.nc",
        truth=lambda w: plan_of(w).truth,
        withheld=lambda w: plan_of(w).withheld,
    output:
        "results/{study}/{scenario}/scores/analyses/{analysis}.nc",
    log:
        "results/{study}/{scenario}/logs/score-analysis-{analysis}.log",
    conda:
        "../../environment.yml"
    params:
        truth=lambda w: plan_of(w).truth_option,
        withheld=lambda w: plan_of(w).withheld_option,
        regions=lambda w: plan_of(w).regions,
        seed=seed_of,
        plugins=lambda w: plan_of(w).observing_code.options,
        code=lambda w: plan_of(w).observing_code.digest("score-analysis"),
    shell:
        "python -m assimilearn score-analysis {input.analysis:q} {output:q} --observations {input.observations:q} "
        "{params.truth:q} {params.withheld:q} --regions {params.regions:q} --seed {params.seed:q} {params.plugins:q} "
        "--label {wildcards.study:q}/{wildcards.scenario:q}/{wildcards.analysis:q} 2> {log:q}"


rule score_forecasts:
    input:
        model=lambda w: plan_of(w).climatology_file(w.model),
        analysis=lambda w: plan_of(w).forecast_start(w.model),
        observations="results/{study}/{scenario}/observations.nc",
        climate=lambda w: plan_of(w).climate,
        truth=lambda w: plan_of(w).truth,
        withheld=lambda w: plan_of(w).withheld,
    output:
        "results/{study}/{scenario}/scores/forecasts/{model}.nc",
    log:
        "results/{study}/{scenario}/logs/score-forecasts-{model}.log",
    conda:
        "../../environment.yml"
    params:
        settings=lambda w: plan_of(w).part("forecasts"),
        truth=lambda w: plan_of(w).truth_option,
        withheld=lambda w: plan_of(w).withheld_option,
        seed=seed_of,
        plugins=lambda w: plan_of(w).forecast_code(w.model).options,
        code=lambda w: plan_of(w).forecast_code(w.model).digest("score-forecasts"),
    shell:
        "python -m assimilearn score-forecasts {input.model:q} {output:q} --analysis {input.analysis:q} "
        "--observations {input.observations:q} --climate {input.climate:q} {params.truth:q} {params.withheld:q} "
        "--settings {params.settings:q} --seed {params.seed:q} "
        "--label {wildcards.study:q}/{wildcards.scenario:q}/{wildcards.model:q} {params.plugins:q} 2> {log:q}"


rule explain_model:
    input:
        model=lambda w: plan_of(w).climatology_file(w.model),
        analysis=lambda w: plan_of(w).forecast_start(w.model),
        climate=lambda w: plan_of(w).climate,
    output:
        "results/{study}/{scenario}/explanations/{model}.nc",
    log:
        "results/{study}/{scenario}/logs/explain-model-{model}.log",
    conda:
        "../../environment.yml"
    params:
        settings=lambda w: plan_of(w).explain_settings,
        seed=seed_of,
        plugins=lambda w: plan_of(w).model_code(w.model).options,
        code=lambda w: plan_of(w).model_code(w.model).digest("explain-model"),
    shell:
        "python -m assimilearn explain-model {input.model:q} {output:q} --analysis {input.analysis:q} "
        "--climate {input.climate:q} --settings {params.settings:q} --seed {params.seed:q} "
        "--label {wildcards.study:q}/{wildcards.scenario:q}/{wildcards.model:q} {params.plugins:q} 2> {log:q}"


rule measure_cost:
    input:
        model=lambda w: plan_of(w).climatology_file(w.model),
        analysis=lambda w: plan_of(w).forecast_start(w.model),
    output:
        "results/{study}/{scenario}/costs/{model}.nc",
    log:
        "results/{study}/{scenario}/logs/measure-cost-{model}.log",
    conda:
        "../../environment.yml"
    params:
        settings=lambda w: plan_of(w).cost_settings,
        seed=seed_of,
        plugins=lambda w: plan_of(w).model_code(w.model).options,
        code=lambda w: plan_of(w).model_code(w.model).digest("measure-cost"),
    shell:
        "python -m assimilearn measure-cost {input.model:q} {output:q} --analysis {input.analysis:q} "
        "--settings {params.settings:q} --seed {params.seed:q} "
        "--label {wildcards.study:q}/{wildcards.scenario:q}/{wildcards.model:q} {params.plugins:q} 2> {log:q}"


rule scorecard:
    input:
        PLAN.scorecard_inputs,
    output:
        report(
            "results/{study}/scorecard.csv",
            caption="../report/scorecard.rst",
            category="Scorecard",
        ),
    log:
        "results/{study}/logs/scorecard.log",
    conda:
        "../../environment.yml"
    params:
        claims=PLAN.claims,
        code=PLAN.code("scorecard"),
    shell:
        "python -m assimilearn scorecard {output:q} {input:q} --claims {params.claims:q} 2> {log:q}"
