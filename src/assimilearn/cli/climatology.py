"""The verb ``climatology``."""

from pathlib import Path

import click

from assimilearn.cli.inputs import read_observations
from assimilearn.cli.options import FILE, NETCDF, Origin, naming, origin_options, settings_option
from assimilearn.observations.climatology import RecordClimatology, climatology_of_record


@click.command("climatology")
@click.argument("observations", type=FILE)
@click.argument("output", type=NETCDF)
@settings_option(RecordClimatology, help="how covariance and spectrum are estimated")
@origin_options
def command(observations: Path, output: Path, settings: RecordClimatology, origin: Origin) -> None:
    """Write the climatology of the training period of the OBSERVATIONS of a file to OUTPUT.

    It takes the place of a model's where there is none. As a forecast model it is persistence.
    """
    observed = read_observations(observations)
    with naming(observations):
        dataset = climatology_of_record(observed, settings)
    origin.write(dataset, output, "climatology", settings, {"observations": observations})
