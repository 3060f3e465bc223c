"""The verb ``ingest``."""

from pathlib import Path

import click

from assimilearn.cli.inputs import read_physics
from assimilearn.cli.options import FILE, NETCDF, Duration, Origin, naming, origin_options, settings_option
from assimilearn.observations import ingest
from assimilearn.observations.brought import read_brought
from assimilearn.periods import Periods


@click.command("ingest")
@click.argument("file", type=FILE)
@click.argument("output", type=NETCDF)
@click.option("--model", type=FILE, required=True, help="file of `climate`: it sets the sites and the time step")
@settings_option(Periods, "--periods", help="lengths of the periods, in observation times")
@click.option(
    "--error-std", type=click.FloatRange(0, min_open=True), help="error standard deviation, instead of that in FILE"
)
@click.option("--time-unit", type=Duration(), help='length of one MTU, as "6 hours", where FILE has physical times')
@origin_options
def command(
    file: Path,
    output: Path,
    model: Path,
    periods: Periods,
    error_std: float | None,
    time_unit: float | None,
    origin: Origin,
) -> None:
    """Check the observations of a FILE that you bring, and write them in the workflow's form to OUTPUT."""
    physics, climate = read_physics(model)
    with naming(file):
        dataset = ingest(
            *(read_brought(file), periods, physics.size, physics.time_step, error_std),
            time_unit=time_unit,
            climate=climate,
        )
    origin.write(dataset, output, "observations", periods, {"file": file, "model": model})
