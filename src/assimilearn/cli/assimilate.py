"""The verb ``assimilate``."""

from pathlib import Path

import click

from assimilearn import store
from assimilearn.assimilation import AnyAnalysis, assimilate
from assimilearn.assimilation.cycling.streaming import assimilate_to_file, is_streamed
from assimilearn.cli.forecasters import read_forecaster
from assimilearn.cli.health import tell_health
from assimilearn.cli.inputs import CLIMATE, read_climatology, read_observations
from assimilearn.cli.options import FILE, NETCDF, Origin, origin_options, settings_option
from assimilearn.cli.steps import read_step
from assimilearn.study.seeds import generator


@click.command("assimilate")
@click.argument("observations", type=FILE)
@click.argument("output", type=NETCDF)
@click.option("--model", type=FILE, required=True, help="the forecast model: a file of `climate` or `train`")
@click.option("--climate", type=FILE, required=True, help=CLIMATE)
@click.option("--assimilator", type=FILE, help="file of `train-assimilator`, for the method learned")
@settings_option(AnyAnalysis, default='{"method": "etkf"}')
@origin_options
def command(
    observations: Path,
    output: Path,
    model: Path,
    climate: Path,
    assimilator: Path | None,
    settings: AnyAnalysis,
    origin: Origin,
) -> None:
    """Assimilate the OBSERVATIONS of a file into forecasts of a model and write the analyses to OUTPUT."""
    rng = generator(origin.seed, "analysis", origin.realization)
    forecaster, kind, _ = read_forecaster(model)
    background = read_climatology(climate)
    inputs = {"observations": observations, "model": model, "climate": climate, "assimilator": assimilator}
    step = read_step(assimilator)
    with store.opened(observations, "observations") as observed:
        if is_streamed(observed, forecaster, settings):
            facts = origin.provenance(output, "analyses", settings, inputs)
            assimilate_to_file(observed, forecaster, settings, background, rng, output, **facts, model_kind=kind)
            with store.opened(output, "analyses") as written:
                tell_health(output.stem, written.attrs)
            return
    dataset = assimilate(read_observations(observations), forecaster, settings, background, rng, step)
    dataset.attrs["model_kind"] = kind
    origin.write(dataset, output, "analyses", settings, inputs)
    tell_health(output.stem, dataset.attrs)
