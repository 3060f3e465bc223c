"""The verb ``ingest``."""

from pathlib import Path

import click

from assimilearn.cli.inputs import read_physics
from assimilearn.cli.options import FILE, NETCDF, Origin, naming, origin_options, settings_option
from assimilearn.models.fields import model_geometry
from assimilearn.observations import ingest
from assimilearn.observations.record import read_record
from assimilearn.observations.record_settings import RecordSettings
from assimilearn.periods import Periods
from assimilearn.study.seeds import generator


@click.command("ingest")
@click.argument("file", type=FILE)
@click.argument("output", type=NETCDF)
@click.option(
    "--model",
    type=FILE,
    help="file of `climate`: it sets the sites and the time step; by default these are those of the record",
)
@settings_option(Periods, "--periods", help="lengths of the periods, in observation times")
@settings_option(RecordSettings, help="how FILE is to be read")
@click.option("--withheld", is_flag=True, help="write what is withheld, instead of what is not")
@origin_options
def command(
    file: Path,
    output: Path,
    model: Path | None,
    periods: Periods,
    settings: RecordSettings,
    withheld: bool,
    origin: Origin,
) -> None:
    """Check the observations of a FILE that you bring, and write them in the workflow's form to OUTPUT."""
    physics = read_physics(model) if model else None
    with naming(file):
        dataset = ingest(
            read_record(file, settings),
            periods,
            settings,
            None if physics is None else model_geometry(physics.model),
            None if physics is None else physics.model.time_step,
            None if physics is None else physics.file,
            generator(origin.seed, "withholding", origin.realization),
            "withheld" if withheld else "kept",
        )
    parts = {"periods": periods, "record": settings}
    origin.write(dataset, output, "withheld" if withheld else "observations", parts, {"file": file, "model": model})
