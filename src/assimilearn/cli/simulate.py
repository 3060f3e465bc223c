"""The verb ``simulate``."""

from pathlib import Path

import click
import numpy as np

from assimilearn import store
from assimilearn.cli.inputs import read_physics
from assimilearn.cli.options import FILE, NETCDF, Origin, origin_options, settings_option
from assimilearn.errors import SettingsError
from assimilearn.models.fields import geometry_in, model_geometry
from assimilearn.models.projection import projection
from assimilearn.models.truth import TruthSettings, simulate
from assimilearn.observations.times import Every, intervals
from assimilearn.periods import Periods, period_flags
from assimilearn.study.seeds import generator


@click.command("simulate")
@click.argument("model", type=FILE)
@click.argument("output", type=NETCDF)
@settings_option(TruthSettings)
@settings_option(Periods, "--periods", help="lengths of the periods, in observation times")
@settings_option(Every, "--every", default="1", help="model steps between observation times, one number or several")
@click.option("--onto", type=FILE, help="model in whose fields the truth is kept, if `fields` are set: `climate` file")
@origin_options
def command(
    model: Path,
    output: Path,
    settings: TruthSettings,
    periods: Periods,
    every: Every,
    onto: Path | None,
    origin: Origin,
) -> None:
    """Simulate the truth with the MODEL of a file and write it to OUTPUT, a state per model step."""
    physics = read_physics(model).model
    if (onto is None) != (settings.fields is None):
        raise SettingsError("the setting `fields` and the option --onto go together: give both or none")
    kept = None
    if onto is not None:
        kept = projection(model_geometry(physics), geometry_in(store.read(onto, "model")), settings.fields or {})
    flags = np.repeat(period_flags(periods), intervals(every, periods.total))
    times = np.arange(flags.size) * physics.time_step
    rng = generator(origin.seed, "truth", origin.realization)
    dataset = simulate(physics, settings, times, flags, rng, kept)
    origin.write(dataset, output, "truth", {"truth": settings, "periods": periods}, {"model": model, "onto": onto})
