from snakemake.utils import min_version

min_version("9.19")


report: "workflow/report/study.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/truth.smk"
include: "workflow/rules/observe.smk"
include: "workflow/rules/assimilators.smk"
include: "workflow/rules/classifiers.smk"
include: "workflow/rules/assimilate.smk"
include: "workflow/rules/sweep.smk"
include: "workflow/rules/tune.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/cycle.smk"
include: "workflow/rules/verify.smk"
include: "workflow/rules/figures.smk"


rule all:
    default_target: True
    input:
        f"{PLAN.root}/report.html",


rule results:
    input:
        PLAN.targets,
