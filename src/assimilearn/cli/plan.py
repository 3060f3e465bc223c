"""The verb ``plan``."""

from pathlib import Path

import click

from assimilearn.cli.options import FILE
from assimilearn.study.plan import Plan
from assimilearn.study.scenarios import load


@click.command("plan")
@click.argument("study", type=FILE)
def command(study: Path) -> None:
    """List the files that a STUDY makes, and which file each analysis and emulator is made from."""
    plan = Plan(load(study))
    for scenario in plan.scenarios.values():
        for name in scenario.settings.analyses:
            sources = [scenario.observations, scenario.model_of(name), *scenario.tuning_of_analysis(name)]
            click.echo(f"{scenario.analysis(name)}  <-  {', '.join(sources)}")
        for name in scenario.settings.emulators:
            sources = [*scenario.training_inputs(name).values(), *scenario.tuning(name)]
            click.echo(f"{scenario.climatology_file(name)}  <-  {', '.join(sources)}")
        for name, path in zip(scenario.settings.sweeps, scenario.files("sweeps"), strict=True):
            click.echo(f"{path}  <-  {scenario.swept_model(name)}")
        for name in scenario.settings.loops:
            folders = f"{scenario.cycle_folder(name, 1)} ... {scenario.cycle_folders(name)[-1]}"
            click.echo(f"{scenario.climatology_file(name)}, {scenario.analysis(name)}  <-  {folders}")
    for target in plan.targets:
        click.echo(target)
