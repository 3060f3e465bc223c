"""The verb ``explain``."""

from pathlib import Path

import click

from assimilearn import store
from assimilearn.cli.inputs import read_observations, refuse_others
from assimilearn.cli.options import FILE
from assimilearn.verification.explain import explain, explanation


@click.command("explain")
@click.argument("analysis", type=FILE)
@click.argument("observations", type=FILE)
@click.option("--time", type=float, required=True, help="MTU; the analysis nearest to it is explained")
def command(analysis: Path, observations: Path, time: float) -> None:
    """Print, for each of the OBSERVATIONS of one time, why its increment in the ANALYSIS is as large as it is."""
    analysed, observed = store.read(analysis, "analyses"), read_observations(observations)
    refuse_others(analysis, analysed, observations=observations)
    click.echo(explanation(explain(analysed, observed, time)), nl=False)
