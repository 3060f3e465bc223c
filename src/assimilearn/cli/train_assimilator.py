"""The verb ``train-assimilator``."""

from pathlib import Path

import click

from assimilearn import store
from assimilearn.assimilators import AnyAssimilator
from assimilearn.assimilators.train import train_assimilator
from assimilearn.cli.forecasters import read_forecaster
from assimilearn.cli.inputs import read_observations, read_one_of, refuse_others_of_truth
from assimilearn.cli.options import FILE, NETCDF, Origin, origin_options, settings_option
from assimilearn.study.seeds import generator


@click.command("train-assimilator")
@click.argument("observations", type=FILE)
@click.argument("output", type=NETCDF)
@click.option("--model", type=FILE, required=True, help="the forecast model: a file of `climate` or `train`")
@click.option("--climate", type=FILE, required=True, help="file of `climate`: background and initial statistics")
@click.option("--truth", type=FILE, help="the truth, for steps that learn from it")
@settings_option(AnyAssimilator, default='{"method": "recurrent-gain"}')
@origin_options
def command(
    observations: Path,
    output: Path,
    model: Path,
    climate: Path,
    truth: Path | None,
    settings: AnyAssimilator,
    origin: Origin,
) -> None:
    """Train a learned analysis step on the OBSERVATIONS of a file and write it to OUTPUT."""
    observed, known = read_observations(observations), read_one_of(truth, "truth")
    refuse_others_of_truth(observations, observed, truth, known)
    background = store.read(climate, "model")
    rng = generator(origin.seed, "assimilators", origin.realization)
    dataset = train_assimilator(observed, read_forecaster(model).model, settings, background, rng, known)
    inputs = {"observations": observations, "model": model, "climate": climate, "truth": truth}
    origin.write(dataset, output, "assimilators", settings, inputs)
