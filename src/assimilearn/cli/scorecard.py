"""The verb ``scorecard``."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import click

from assimilearn import store
from assimilearn.cli.health import tell_health
from assimilearn.cli.options import FILE, Output, settings_option
from assimilearn.verification import Claim, scorecard, write_scorecard

KINDS = (
    *("model", "analysis_scores", "forecast_scores", "sweeps", "assimilators", "explanations", "tuning"),
    "classifier_scores",
)


@click.command("scorecard")
@click.argument("output", type=Output(".csv"))
@click.argument("files", type=FILE, nargs=-1, required=True)
@settings_option(dict[str, Claim], "--claims", help="published numbers, by the row that must agree")
def command(output: Path, files: tuple[Path, ...], claims: dict[str, Claim]) -> None:
    """Collect the scores of FILES into the table OUTPUT, beside published numbers.

    The files are models, scores of analyses, forecasts and classifiers, sweeps, searches, assimilators and
    explanations of models; each says itself what it is.
    """
    given: dict[str, dict[str, dict[str, Any]]] = defaultdict(lambda: defaultdict(dict))
    for path in files:
        dataset = store.read(path, *KINDS)
        given[dataset.attrs["kind"]][dataset.attrs["scenario"]][dataset.attrs["node"]] = dataset
    analyses, forecasts = given["analysis_scores"], given["forecast_scores"]
    for scenario, nodes in analyses.items():
        for node, scores in nodes.items():
            tell_health(f"{scenario}/{node}", scores.attrs)
    others = given["sweeps"], given["assimilators"], given["explanations"], given["tuning"], given["classifier_scores"]
    write_scorecard(scorecard(analyses, forecasts, given["model"], claims, *others), output)
