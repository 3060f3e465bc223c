rule train_classifier:
    input:
        analysis=lambda w: plan_of(w).classifier_analysis(w.classifier),
    output:
        "results/{study}/{scenario}/classifiers/{classifier}.nc",
    log:
        "results/{study}/{scenario}/logs/train-classifier-{classifier}.log",
    conda:
        "../../environment.yml"
    params:
        settings=lambda w: plan_of(w).classifier_settings(w.classifier),
        seed=seed_of,
        plugins=lambda w: plan_of(w).classifier_code(w.classifier).options,
        code=lambda w: plan_of(w)
        .classifier_code(w.classifier)
        .digest("train-classifier"),
    shell:
        "python -m assimilearn train-classifier {input.analysis:q} {output:q} --settings {params.settings:q} "
        "--seed {params.seed:q} --label {wildcards.study:q}/{wildcards.scenario:q}/{wildcards.classifier:q} "
        "{params.plugins:q} 2> {log:q}"


rule score_classifier:
    input:
        classifier="results/{study}/{scenario}/classifiers/{classifier}.nc",
        analysis=lambda w: plan_of(w).classifier_analysis(w.classifier),
        truth=lambda w: plan_of(w).truth,
    output:
        "results/{study}/{scenario}/scores/classifiers/{classifier}.nc",
    log:
        "results/{study}/{scenario}/logs/score-classifier-{classifier}.log",
    conda:
        "../../environment.yml"
    params:
        truth=lambda w: plan_of(w).truth_option,
        seed=seed_of,
        code=PLAN.code("score-classifier"),
    shell:
        "python -m assimilearn score-classifier {input.classifier:q} {output:q} --analysis {input.analysis:q} "
        "{params.truth:q} --seed {params.seed:q} "
        "--label {wildcards.study:q}/{wildcards.scenario:q}/{wildcards.classifier:q} 2> {log:q}"
