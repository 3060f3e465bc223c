"""The verb ``ingest-truth``."""

from pathlib import Path

import click

from assimilearn import store
from assimilearn.cli.options import FILE, Origin, naming, origin_options
from assimilearn.models import open_model
from assimilearn.observations import ingest_truth


@click.command("ingest-truth")
@click.argument("file", type=FILE)
@click.argument("output", type=FILE)
@click.option("--observations", type=FILE, required=True, help="file of `ingest`: it sets the times and the periods")
@click.option("--model", type=FILE, required=True, help="file of `climate`: it sets the sites and the time step")
@origin_options
def command(file: Path, output: Path, observations: Path, model: Path, origin: Origin) -> None:
    """Check the truth of a FILE that you bring, and write it at the observation times to OUTPUT."""
    physics = open_model(store.read(model))
    observed = store.read(observations)
    times, flags = observed["time"].values, observed["period"].values
    with naming(file):
        dataset = ingest_truth(store.read(file), times, flags, physics.size, physics.time_step)
    origin.write(dataset, output, "truth", {}, {"file": file, "observations": observations})
