"""The verb ``table``."""

from pathlib import Path

import click

from assimilearn.cli.options import FILE
from assimilearn.verification import read_scorecard
from assimilearn.verification.table import TABLES


@click.command("table")
@click.argument("scorecard", type=FILE)
@click.option(
    "--show",
    type=click.Choice(list(TABLES)),
    default="scores",
    show_default=True,
    help="analyses and forecasts; the true against the learned model; medians over scenarios; claims",
)
def command(scorecard: Path, show: str) -> None:
    """Print the main numbers of a SCORECARD as Markdown tables."""
    click.echo(TABLES[show](read_scorecard(scorecard)), nl=False)
