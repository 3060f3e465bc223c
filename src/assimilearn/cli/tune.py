"""The verb ``tune``."""

from pathlib import Path

import click

from assimilearn.cli.inputs import read_before_test, read_physics
from assimilearn.cli.options import FILE, NETCDF, Origin, origin_options, plain, settings_option
from assimilearn.cli.workers import Workers, workers_options
from assimilearn.emulators import AnyEmulator
from assimilearn.study.code import code_of
from assimilearn.study.seeds import generator
from assimilearn.tuning.emulators import TuneSettings, tune
from assimilearn.tuning.journal import identity, journal


@click.command("tune")
@click.argument("analysis", type=FILE)
@click.argument("output", type=NETCDF)
@settings_option(AnyEmulator, default='{"method": "ridge"}')
@settings_option(TuneSettings, "--search", default='{"grid": {"alpha": [0.01, 1, 100]}}', help="what to search")
@click.option("--model", type=FILE, help="file of `climate`: the physical model, for methods that correct one")
@workers_options("processes")
@origin_options
def command(
    analysis: Path,
    output: Path,
    settings: AnyEmulator,
    search: TuneSettings,
    model: Path | None,
    workers: Workers,
    origin: Origin,
) -> None:
    """Search the settings of an emulator of an ANALYSIS by cross-validation in time; write every trial to OUTPUT.

    Finished trials are kept beside OUTPUT until it is written: a search that was killed goes on. The test period of the
    analysis is not read.
    """
    rng = generator(origin.seed, "tuning", origin.realization)
    parts, inputs = {"emulator": settings, "search": search}, {"analysis": analysis, "model": model}
    record = read_before_test(analysis, "analyses")
    physics = read_physics(model).model if model else None
    of_search = identity(plain(parts), origin.seed, origin.realization, inputs, code_of(settings).digest("tune"))
    with journal(output, of_search) as kept:
        dataset = tune(record, settings, search, rng, workers.count, kind=workers.kind, model=physics, journal=kept)
        origin.write(dataset, output, "tuning", parts, inputs)
