REPORT = Path(workflow.basedir) / "workflow" / "report"


rule figure:
    input:
        lambda w: plan_of(w).figure_inputs(w.figure),
    output:
        pdf="results/{study}/{scenario}/figures/{figure}.pdf",
        svg="results/{study}/{scenario}/figures/{figure}.svg",
        png=report(
            "results/{study}/{scenario}/figures/{figure}.png",
            caption="../report/figure.rst",
            category="{scenario}",
            labels={"figure": "{figure}"},
        ),
    log:
        "results/{study}/{scenario}/logs/figure-{figure}.log",
    conda:
        "../../environment.yml"
    params:
        claims=lambda w: plan_of(w).claims_option(w.figure, PLAN.claims),
        caption=lambda w: (REPORT / "figures" / f"{w.figure}.rst").read_text(),
        code=lambda w: PLAN.figure_code(w.figure),
    shell:
        "python -m assimilearn figure {wildcards.figure:q} {output.pdf:q} {input:q} "
        "{params.claims:q} 2> {log:q}"


# Figures of the whole study, from its scorecard.
rule study_figure:
    input:
        "results/{study}/scorecard.csv",
    output:
        pdf="results/{study}/figures/{figure}.pdf",
        svg="results/{study}/figures/{figure}.svg",
        png=report(
            "results/{study}/figures/{figure}.png",
            caption="../report/study_figure.rst",
            category="Study",
            labels={"figure": "{figure}"},
        ),
    log:
        "results/{study}/logs/figure-{figure}.log",
    conda:
        "../../environment.yml"
    params:
        variations=PLAN.variations,
        claims=PLAN.claims,
        caption=lambda w: (REPORT / "figures" / f"{w.figure}.rst").read_text(),
        code=lambda w: PLAN.figure_code(w.figure),
    shell:
        "python -m assimilearn figure {wildcards.figure:q} {output.pdf:q} {input:q} "
        "--variations {params.variations:q} --claims {params.claims:q} 2> {log:q}"


# The study as it was given, and in its order: the first model is the default. JSON and so YAML too:
# `snakemake --configfile results/<study>/study.json` runs it again.
rule study:
    output:
        "results/{study}/study.json",
    log:
        "results/{study}/logs/study.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        config=json.dumps(PLAN.portable(STUDY.content, FOLDER)),
    shell:
        "printf '%s\\n' {params.config:q} > {output:q} 2> {log:q}"


rule report:
    input:
        PLAN.targets,
        study="results/{study}/study.json",
    output:
        "results/{study}/report.html",
    log:
        "results/{study}/logs/report.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        snakefile=lambda w: Path(workflow.basedir) / "Snakefile",
    shell:
        "snakemake results --snakefile {params.snakefile:q} --configfile {input.study:q} --report {output:q} 2> {log:q}"
