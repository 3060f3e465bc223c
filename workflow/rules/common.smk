import json
import os
import sys
from pathlib import Path

# The package need not be installed, and the interpreter is the one that runs Snakemake.
SOURCE = str(Path(workflow.basedir) / "src")
if set(SOURCE) & {os.pathsep, "{", "}"}:
    raise WorkflowError(
        f"{SOURCE}: a folder with {os.pathsep!r} or braces in its name cannot hold this workflow: rename it"
    )
sys.path.insert(0, SOURCE)
os.environ |= {
    "PYTHONPATH": os.pathsep.join([SOURCE, *filter(None, [os.getenv("PYTHONPATH")])]),
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.getenv("PATH", "")]),
}

from assimilearn.cli.lean import import_xarray

import_xarray()
from assimilearn.errors import AssimilearnError
from assimilearn.study.content import content_of, refuse_absent
from assimilearn.study.plan import Plan, option
from assimilearn.study.running import one_at_a_time
from assimilearn.study.scenarios import resolve, together

# A study file given with --configfile stands alone: it is not merged with the default study. Snakemake has read it with
# a loader of its own, which lets pass what this one refuses. What --config gives is put over either. Plug-ins are found
# from the folder of the study file: the last one that was given.
FILES = workflow.config_settings.configfiles or [Path("config/config.yaml")]
FOLDER = Path(FILES[-1]).parent

try:
    STUDY = together(FILES, workflow.config_settings.config)
    PLAN = Plan(resolve(STUDY.content, FOLDER, STUDY.problems))
    refuse_absent(PLAN.brought_files)
except AssimilearnError as error:
    raise WorkflowError(str(error))


# Of two runs of one study in one folder the second stops here: a dry run, or a report, is not one of them.
onstart:
    try:
        one_at_a_time(PLAN.root)
    except AssimilearnError as error:
        raise WorkflowError(str(error))


wildcard_constraints:
    study=PLAN.study.study,
    scenario="|".join(PLAN.scenarios),
    model="[a-z0-9-]+",
    analysis="[a-z0-9-]+",
    emulator="[a-z0-9-]+",
    assimilator=PLAN.names("assimilators"),
    classifier=PLAN.names("classifiers"),
    loop=PLAN.names("loops"),
    sweep=PLAN.names("sweeps"),
    cycle="[1-9][0-9]*",
    figure="[a-z_]+",


def plan_of(wildcards):
    """The plan of the scenario that a job belongs to."""
    return PLAN.scenarios[wildcards.scenario]


def seed_of(wildcards):
    """The seed of the scenario that a job belongs to."""
    return plan_of(wildcards).settings.seed
