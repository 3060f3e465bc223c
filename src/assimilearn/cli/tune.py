"""The verb ``tune``."""

from pathlib import Path

import click

from assimilearn import store
from assimilearn.cli.options import FILE, NETCDF, Origin, origin_options, settings_option
from assimilearn.emulators import AnyEmulator
from assimilearn.study.seeds import generator
from assimilearn.tuning import TuneSettings, tune


@click.command("tune")
@click.argument("analysis", type=FILE)
@click.argument("output", type=NETCDF)
@settings_option(AnyEmulator, default='{"method": "ridge"}')
@settings_option(TuneSettings, "--search", default='{"grid": {"alpha": [0.01, 1, 100]}}', help="what to search")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="processes; changes no result")
@origin_options
def command(
    analysis: Path, output: Path, settings: AnyEmulator, search: TuneSettings, workers: int, origin: Origin
) -> None:
    """Search the settings of an emulator of an ANALYSIS by blocked cross-validation; write every fold to OUTPUT."""
    rng = generator(origin.seed, "tuning", origin.realization)
    dataset = tune(store.read(analysis, "analyses"), settings, search, rng, workers)
    origin.write(dataset, output, "tuning", {"emulator": settings, "search": search}, {"analysis": analysis})
