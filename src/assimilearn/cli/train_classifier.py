"""The verb ``train-classifier``."""

from pathlib import Path

import click

from assimilearn import store
from assimilearn.cli.options import FILE, NETCDF, Origin, origin_options, settings_option
from assimilearn.emulators.classifiers import AnyClassifier, train_classifier
from assimilearn.study.seeds import generator


@click.command("train-classifier")
@click.argument("analysis", type=FILE)
@click.argument("output", type=NETCDF)
@settings_option(AnyClassifier, default='{"method": "sklearn-classifier"}')
@origin_options
def command(analysis: Path, output: Path, settings: AnyClassifier, origin: Origin) -> None:
    """Train a classifier on the ANALYSIS of a file; OUTPUT holds it, and its probabilities for the test period."""
    rng = generator(origin.seed, "classifiers", origin.realization)
    dataset = train_classifier(store.read(analysis, "analyses"), settings, rng)
    origin.write(dataset, output, "classifiers", settings, {"analysis": analysis})
