import os
import sys
from pathlib import Path

# The package need not be installed, and the interpreter is the one that runs Snakemake.
SOURCE = str(Path(workflow.basedir) / "src")
sys.path.insert(0, SOURCE)
os.environ |= {
    "PYTHONPATH": os.pathsep.join([SOURCE, *filter(None, [os.getenv("PYTHONPATH")])]),
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.getenv("PATH", "")]),
}

from assimilearn.cli.lean import import_xarray

import_xarray()
from assimilearn.errors import AssimilearnError
from assimilearn.study.plan import Plan, canonical
from assimilearn.study.scenarios import resolve

# Plug-ins are found from the folder of the study file: the last one that was given.
FOLDER = Path(workflow.configfiles[-1]).parent if workflow.configfiles else Path()

try:
    PLAN = Plan(resolve(config, FOLDER))
except AssimilearnError as error:
    raise WorkflowError(str(error))


wildcard_constraints:
    study=PLAN.study.study,
    scenario="|".join(PLAN.scenarios),
    model="[a-z0-9-]+",
    analysis="[a-z0-9-]+",
    emulator="[a-z0-9-]+",
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
