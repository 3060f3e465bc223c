"""The verb ``table``."""

from pathlib import Path

import click

from assimilearn.cli.options import FILE
from assimilearn.verification import read_scorecard
from assimilearn.verification.table import markdown


@click.command("table")
@click.argument("scorecard", type=FILE)
def command(scorecard: Path) -> None:
    """Print the main numbers of a SCORECARD as Markdown tables."""
    click.echo(markdown(read_scorecard(scorecard)), nl=False)
