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
@origin_options
def command(analysis: Path, output: Path, settings: AnyEmulator, tuned: Path | None, origin: Origin) -> None:
    """Train an emulator on the ANALYSIS of a file and write it to OUTPUT."""
    chosen = json.loads(store.read(tuned).attrs["chosen"]) if tuned else None
    rng = generator(origin.seed, "training", origin.realization)
    dataset = train(store.read(analysis, require=["mean", "spread"]), settings, rng, chosen)
    origin.write(dataset, output, "emulators", settings, {"analysis": analysis, "tuned": tuned})
