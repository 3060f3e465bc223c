"""The verb ``reference``."""

from pathlib import Path

import click

from assimilearn.cli.options import FILE
from assimilearn.study.reference import reference
from assimilearn.study.scenarios import load


@click.command("reference")
@click.argument("study", type=FILE, required=False)
def command(study: Path | None) -> None:
    """Print the reference of all settings of a study file, as Markdown; with those of the plug-ins of a STUDY."""
    if study is not None:
        load(study)
    click.echo(reference(), nl=False)
