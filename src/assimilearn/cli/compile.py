"""The verb ``compile``."""

from pathlib import Path

import click

from assimilearn.cli.options import FILE
from assimilearn.study.scenarios import load
from assimilearn.study.warm import compile_kernels


@click.command("compile")
@click.argument("study", type=FILE)
def command(study: Path) -> None:
    """Compile the kernels of a STUDY now, so that its first run does not have to."""
    for scenario in load(study).scenarios.values():
        click.echo("compiled: " + ", ".join(compile_kernels(scenario)))
