"""The verb ``train``."""

import json
from pathlib import Path

import click

from assimilearn import store
from assimilearn.cli.options import FILE, Origin, origin_options, settings_option
from assimilearn.emulators import AnyEmulator, train
from assimilearn.study.seeds import generator


@click.command("train")
@click.argument("analysis", type=FILE)
@click.argument("output", type=FILE)
@settings_option(AnyEmulator, default='{"method": "ridge"}')
@click.option("--tuned", type=FILE, help="file of `tune`: its chosen settings replace those given")
@click.option("--observations", type=FILE, help="the observations, for methods that are fitted to them")
@click.option("--previous", type=FILE, help="an emulator of the same method: networks go on from its weights")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="threads; changes no result")
@origin_options
def command(
    analysis: Path,
    output: Path,
    settings: AnyEmulator,
    tuned: Path | None,
    observations: Path | None,
    previous: Path | None,
    workers: int,
    origin: Origin,
) -> None:
    """Train an emulator on the ANALYSIS of a file and write it to OUTPUT."""
    chosen = json.loads(store.read(tuned).attrs["chosen"]) if tuned else None
    rng = generator(origin.seed, "training", origin.realization)
    dataset = train(
        store.read(analysis, require=["mean", "spread"]),
        settings,
        rng,
        chosen,
        observations=store.read(observations) if observations else None,
        previous=store.read(previous) if previous else None,
        workers=workers,
    )
    inputs = {"analysis": analysis, "tuned": tuned, "observations": observations, "previous": previous}
    origin.write(dataset, output, "emulators", settings, inputs)
