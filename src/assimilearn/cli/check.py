"""The verb ``check``."""

import json
from pathlib import Path

import click

from assimilearn.cli.options import FILE
from assimilearn.errors import AssimilearnError
from assimilearn.registry import Plugged
from assimilearn.study.brought import file_problems, record_lines
from assimilearn.study.kinds import kind
from assimilearn.study.plan import Plan
from assimilearn.study.problems import ConfigurationError
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
    """Check STUDY files and the files that they name, and list every problem at once."""
    wrong = []
    for path in study:
        try:
            resolved = load(path)
            problems = file_problems(resolved.scenarios)
            if problems:
                raise ConfigurationError(problems)
        except AssimilearnError as error:
            text = str(error)
            wrong.append(text if text.startswith(str(path)) or len(study) == 1 else f"{path}: {text}")
            continue
        plan = Plan(resolved)
        scenarios = ", ".join(plan.scenarios)
        click.echo(f"{path}: study {plan.study.study!r} is valid; scenarios: {scenarios}")
        for name, scenario in resolved.scenarios.items():
            for line in record_lines(scenario):
                click.echo(f"  {line}" if len(plan.scenarios) == 1 else f"  {name}: {line}")
        for part in plan.registry.plugged:
            click.echo(f"  {part.kind} {part.name} ({part.place}): {described(part)}")
    if wrong:
        raise AssimilearnError("\n".join(wrong))
