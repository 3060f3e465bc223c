"""The verb ``best``."""

from pathlib import Path

import click

from assimilearn import store
from assimilearn.cli.options import FILE
from assimilearn.tuning.file import best_of


@click.command("best")
@click.argument("file", type=FILE)
def command(file: Path) -> None:
    """Print what the search in FILE has chosen, as YAML to paste into a study."""
    click.echo(best_of(store.read(file, "tuning")), nl=False)
