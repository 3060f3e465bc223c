"""The verb ``train``."""

from pathlib import Path

import click

from assimilearn import store
from assimilearn.cli.health import tell_health
from assimilearn.cli.inputs import read_observations, read_one_of, read_physics, refuse_others
from assimilearn.cli.options import FILE, NETCDF, Origin, origin_options, settings_option
from assimilearn.emulators import AnyEmulator, train
from assimilearn.study.seeds import generator
from assimilearn.tuning.chosen import chosen_for_emulator


@click.command("train")
@click.argument("analysis", type=FILE)
@click.argument("output", type=NETCDF)
@settings_option(AnyEmulator, default='{"method": "ridge"}')
@click.option("--tuned", type=FILE, help="file of `tune`: its chosen settings replace those given")
@click.option("--observations", type=FILE, help="the observations, for methods that are fitted to them")
@click.option("--model", type=FILE, help="file of `climate`: the physical model, for methods that correct one")
@click.option("--previous", type=FILE, help="an emulator of the same method: networks go on from its weights")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="threads; changes no result")
@origin_options
def command(
    analysis: Path,
    output: Path,
    settings: AnyEmulator,
    tuned: Path | None,
    observations: Path | None,
    model: Path | None,
    previous: Path | None,
    workers: int,
    origin: Origin,
) -> None:
    """Train an emulator on the ANALYSIS of a file and write it to OUTPUT."""
    analysed, search = store.read(analysis, "analyses"), read_one_of(tuned, "tuning")
    observed = read_observations(observations) if observations else None
    refuse_others(analysis, analysed, observations=observations)
    if tuned is not None and search is not None:
        refuse_others(tuned, search, analysis=analysis)
    rng = generator(origin.seed, "training", origin.realization)
    dataset = train(
        analysed,
        settings,
        rng,
        chosen_for_emulator(search) if search is not None else None,
        observations=observed,
        model=read_physics(model).model if model else None,
        previous=read_one_of(previous, "emulators"),
        workers=workers,
    )
    inputs = {"analysis": analysis, "tuned": tuned, "observations": observations, "model": model, "previous": previous}
    origin.write(dataset, output, "emulators", settings, inputs)
    tell_health(output.stem, dataset.attrs)
