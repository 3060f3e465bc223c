"""The verb ``check``."""

from pathlib import Path

import click

from assimilearn.cli.options import FILE
from assimilearn.study.plan import Plan
from assimilearn.study.scenarios import load


@click.command("check")
@click.argument("study", type=FILE, nargs=-1, required=True)
def command(study: tuple[Path, ...]) -> None:
    """Check STUDY files and list every problem at once."""
    for path in study:
        plan = Plan(load(path))
        scenarios = ", ".join(plan.scenarios)
        click.echo(f"{path}: study {plan.study.study!r} is valid; scenarios: {scenarios}")
