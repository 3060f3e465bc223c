"""The verb ``explain``."""

from pathlib import Path

import click

from assimilearn import store
from assimilearn.cli.options import FILE
from assimilearn.verification.explain import explain, explanation


@click.command("explain")
@click.argument("analysis", type=FILE)
@click.argument("observations", type=FILE)
@click.option("--time", type=float, required=True, help="MTU; the analysis nearest to it is explained")
def command(analysis: Path, observations: Path, time: float) -> None:
    """Print, for each of the OBSERVATIONS of one time, why its increment in the ANALYSIS is as large as it is."""
    analysed = store.read(analysis, require=["mean", "forecast_mean", "innovation", "innovation_std"])
    click.echo(explanation(explain(analysed, store.read(observations), time)), nl=False)
