"""The verb ``sweep``."""

import json
from pathlib import Path

import click

from assimilearn.cli.forecasters import read_forecaster
from assimilearn.cli.inputs import CLIMATE, read_climatology, read_physics
from assimilearn.cli.options import FILE, NETCDF, Origin, origin_options, settings_option
from assimilearn.cli.steps import read_step
from assimilearn.cli.workers import Workers, workers_options
from assimilearn.models.fields import geometry_in, model_geometry
from assimilearn.models.projection import projection
from assimilearn.models.regions import Region
from assimilearn.models.truth import TruthSettings
from assimilearn.observations.observe import ObservationSettings
from assimilearn.study.schema import SweepNode
from assimilearn.study.twins import twins
from assimilearn.tuning.sweep import sweep


@click.command("sweep")
@click.argument("output", type=NETCDF)
@click.option("--model", type=FILE, required=True, help="the forecast model: a file of `climate` or `train`")
@click.option("--truth-model", type=FILE, required=True, help="the model that makes the truths: a file of `climate`")
@click.option("--climate", type=FILE, required=True, help=CLIMATE)
@click.option("--assimilator", type=FILE, help="file of `train-assimilator`, for the method learned")
@settings_option(SweepNode, default='{"analysis": {"method": "etkf"}}')
@settings_option(TruthSettings, "--truth", help="settings of the simulated truths")
@settings_option(ObservationSettings, "--observations", help="settings of the simulated observations")
@settings_option(dict[str, Region], "--regions", help="named parts of the state that have an rmse of their own")
@workers_options("threads")
@origin_options
def command(
    output: Path,
    model: Path,
    truth_model: Path,
    climate: Path,
    assimilator: Path | None,
    settings: SweepNode,
    truth: TruthSettings,
    observations: ObservationSettings,
    regions: dict[str, Region],
    workers: Workers,
    origin: Origin,
) -> None:
    """Score a method over many settings, in realizations of a twin experiment, and write the scores to OUTPUT."""
    physics, background = read_physics(truth_model).model, read_climatology(climate)
    onto = None
    if truth.fields is not None:
        onto = projection(model_geometry(physics), geometry_in(background), truth.fields)
    numbers = settings.realizations, settings.first_realization
    realizations = twins(physics, settings, truth, observations, origin.seed, *numbers, onto)
    forecaster, kind, _ = read_forecaster(model)
    dataset = sweep(
        *(realizations, forecaster, settings.analysis, settings.over, background, workers.count, workers.kind),
        step=read_step(assimilator),
        budget=settings.budget,
        by=settings.by,
        regions=regions,
    )
    dataset.attrs |= {"model_kind": kind, "by": json.dumps(settings.by)}
    parts = {"sweep": settings, "truth": truth, "observations": observations}
    inputs = {"model": model, "truth_model": truth_model, "climate": climate, "assimilator": assimilator}
    origin.write(dataset, output, "sweeps", parts, inputs | {"network": observations.network.file})
