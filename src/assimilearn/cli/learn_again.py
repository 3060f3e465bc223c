"""The verb ``learn-again``."""

from pathlib import Path

import click

from assimilearn import store
from assimilearn.cli.inputs import read_observations, read_one_of, refuse_others
from assimilearn.cli.options import FILE, NETCDF, Origin, cycle_option, origin_options, settings_option
from assimilearn.emulators import AnyEmulator
from assimilearn.loops import Stopping, learn_again
from assimilearn.study.seeds import generator


@click.command("learn-again")
@click.argument("analysis", type=FILE)
@click.argument("output", type=NETCDF)
@click.option("--observations", type=FILE, required=True, help="the observations behind the analysis")
@click.option("--previous", type=FILE, help="emulator of the cycle before; none in the first")
@settings_option(AnyEmulator, default='{"method": "cnn"}')
@settings_option(Stopping, "--stopping", help="when the loop stops before its last cycle")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="threads; changes no result")
@cycle_option
@origin_options
def command(
    analysis: Path,
    output: Path,
    observations: Path,
    previous: Path | None,
    settings: AnyEmulator,
    stopping: Stopping,
    workers: int,
    cycle: int,
    origin: Origin,
) -> None:
    """Train the emulator of a cycle on the ANALYSIS of the cycle before and write it to OUTPUT."""
    analysed, before = store.read(analysis, "analyses"), read_one_of(previous, "emulators")
    observed = read_observations(observations)
    refuse_others(analysis, analysed, observations=observations, emulator=previous)
    dataset = learn_again(
        analysed,
        observed,
        before,
        settings,
        stopping,
        generator(origin.seed, "loop", cycle),
        workers,
    )
    inputs = {"analysis": analysis, "observations": observations, "previous": previous}
    origin.write(dataset.assign_attrs(cycle=cycle), output, "emulators", settings, inputs)
