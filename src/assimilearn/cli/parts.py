"""The verb ``parts``."""

from pathlib import Path

import click

from assimilearn.cli.options import FILE
from assimilearn.study.listing import parts
from assimilearn.study.scenarios import load


@click.command("parts")
@click.argument("study", type=FILE, required=False)
def command(study: Path | None) -> None:
    """List every model, method, emulator, operator and figure, as Markdown; with the plug-ins of a STUDY."""
    if study is not None:
        load(study)
    click.echo(parts(), nl=False)
