"""The verb ``ingest-truth``."""

from pathlib import Path

import click

from assimilearn.cli.inputs import read_observations, read_physics, refuse_others
from assimilearn.cli.options import FILE, NETCDF, Origin, naming, origin_options
from assimilearn.observations import ingest_truth
from assimilearn.observations.brought import read_brought


@click.command("ingest-truth")
@click.argument("file", type=FILE)
@click.argument("output", type=NETCDF)
@click.option("--observations", type=FILE, required=True, help="file of `ingest`: it sets the times and the periods")
@click.option("--model", type=FILE, help="file of `climate`: no state lies far outside it")
@origin_options
def command(file: Path, output: Path, observations: Path, model: Path | None, origin: Origin) -> None:
    """Check the truth of a FILE that you bring, and write it at the observation times to OUTPUT."""
    climate = read_physics(model).file if model else None
    observed = read_observations(observations)
    refuse_others(observations, observed, model=model)
    with naming(file):
        dataset = ingest_truth(read_brought(file), observed, climate)
    origin.write(dataset, output, "truth", {}, {"file": file, "observations": observations})
