"""The verb ``climate``."""

from pathlib import Path
from typing import Any

import click

from assimilearn.cli.options import NETCDF, Origin, origin_options, settings_option
from assimilearn.models import AnyModel, build
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.study.seeds import generator


@click.command("climate")
@click.argument("output", type=NETCDF)
@settings_option(AnyModel, "--model", default='{"method": "lorenz96"}', help="settings of the physical model")
@settings_option(ClimateSettings, help="settings of the free run")
@origin_options
def command(output: Path, model: AnyModel, settings: ClimateSettings, origin: Origin) -> None:
    """Run a physical model freely and write its climate and its Lyapunov exponents to OUTPUT.

    The file also describes the model itself: every verb that needs a model takes it.
    """
    dataset: Any = climate(build(model), settings, generator(origin.seed, "climate", origin.realization))
    origin.write(dataset, output, "model", {"model": model, "climate": settings}, {})
