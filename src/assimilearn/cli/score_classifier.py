"""The verb ``score-classifier``."""

from pathlib import Path

import click

from assimilearn import store
from assimilearn.cli.inputs import refuse_others
from assimilearn.cli.options import FILE, NETCDF, Origin, origin_options
from assimilearn.verification.classifiers import score_classifier


@click.command("score-classifier")
@click.argument("classifier", type=FILE)
@click.argument("output", type=NETCDF)
@click.option("--analysis", type=FILE, required=True, help="what it learned from, to verify against without a truth")
@click.option("--truth", type=FILE, help="the truth, if it is known")
@origin_options
def command(classifier: Path, output: Path, analysis: Path, truth: Path | None, origin: Origin) -> None:
    """Score the probabilities in the file of a CLASSIFIER."""
    file = store.read(classifier, "classifiers")
    refuse_others(classifier, file, analysis=analysis)
    verifying = store.read(truth, "truth") if truth else store.read(analysis, "analyses")
    dataset = score_classifier(file, verifying)
    inputs = {"classifier": classifier, "analysis": analysis, "truth": truth}
    origin.write(dataset, output, "classifier_scores", {}, inputs)
