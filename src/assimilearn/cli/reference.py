"""The verb ``reference``."""

import click

from assimilearn.study.reference import reference


@click.command("reference")
def command() -> None:
    """Print the reference of all settings of a study file, as Markdown."""
    click.echo(reference(), nl=False)
