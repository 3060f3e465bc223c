"""The verb ``explain-model``."""

from pathlib import Path

import click

from assimilearn import store
from assimilearn.cli.forecasters import read_forecaster
from assimilearn.cli.inputs import read_physics, refuse_others
from assimilearn.cli.options import FILE, NETCDF, Origin, origin_options, settings_option
from assimilearn.study.seeds import generator
from assimilearn.verification.explain_models import ExplainModelSettings, explain_model


@click.command("explain-model")
@click.argument("model", type=FILE)
@click.argument("output", type=NETCDF)
@click.option("--analysis", type=FILE, required=True, help="the analysis that gives the states")
@click.option("--climate", type=FILE, required=True, help="file of `climate` of the physical model to compare with")
@settings_option(ExplainModelSettings)
@origin_options
def command(
    model: Path, output: Path, analysis: Path, climate: Path, settings: ExplainModelSettings, origin: Origin
) -> None:
    """Say which inputs the MODEL of a file uses and how, and how its Jacobian compares with the physical one."""
    forecaster, kind, described = read_forecaster(model)
    analysed = store.read(analysis, "analyses")
    if kind == "emulator":
        refuse_others(model, described, analysis=analysis)
    physical = read_physics(climate).model
    rng = generator(origin.seed, "explanation", origin.realization)
    dataset = explain_model(forecaster, physical, analysed, settings, rng)
    dataset.attrs["method"] = described.attrs["method"]
    inputs = {"model": model, "analysis": analysis, "climate": climate}
    origin.write(dataset, output, "explanations", settings, inputs)
