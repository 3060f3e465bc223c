"""The verb ``check``."""

import json
from pathlib import Path

import click

from assimilearn.cli.options import FILE
from assimilearn.registry import Plugged
from assimilearn.study.kinds import kind
from assimilearn.study.plan import Plan
from assimilearn.study.scenarios import load


def described(part: Plugged) -> str:
    """The settings of a part of a plug-in, with kinds of values and defaults."""
    schema = part.settings.model_json_schema()
    settings = [
        f"{name}: {kind(schema, field)} = {json.dumps(field.get('default'))}"
        for name, field in schema["properties"].items()
        if name in part.parameters
    ]
    return ", ".join(settings) or "no settings"


@click.command("check")
@click.argument("study", type=FILE, nargs=-1, required=True)
def command(study: tuple[Path, ...]) -> None:
    """Check STUDY files and list every problem at once."""
    for path in study:
        plan = Plan(load(path))
        scenarios = ", ".join(plan.scenarios)
        click.echo(f"{path}: study {plan.study.study!r} is valid; scenarios: {scenarios}")
        for part in plan.registry.plugged:
            click.echo(f"  {part.kind} {part.name} ({part.place}): {described(part)}")
