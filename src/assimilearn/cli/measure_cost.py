"""The verb ``measure-cost``."""

import json
from pathlib import Path

import click

from assimilearn import store
from assimilearn.cli.forecasters import read_forecaster
from assimilearn.cli.options import FILE, NETCDF, Origin, origin_options, settings_option
from assimilearn.study.seeds import generator
from assimilearn.verification.costs import CostSettings, measure_cost


@click.command("measure-cost")
@click.argument("model", type=FILE)
@click.argument("output", type=NETCDF)
@click.option("--analysis", type=FILE, required=True, help="the analysis that gives the states")
@settings_option(CostSettings)
@origin_options
def command(model: Path, output: Path, analysis: Path, settings: CostSettings, origin: Origin) -> None:
    """Measure what the MODEL of a file costs: its training, and a step. Two runs do not give the same bytes."""
    forecaster, kind, described = read_forecaster(model)
    analysed = store.read(analysis, "analyses")
    rng = generator(origin.seed, "cost", origin.realization)
    trained = seconds_of(model) if kind == "emulator" else 0.0
    dataset = measure_cost(forecaster, analysed, settings, trained, rng)
    dataset.attrs |= {"method": described.attrs["method"], "model_kind": kind}
    origin.write(dataset, output, "costs", settings, {"model": model, "analysis": analysis})


def seconds_of(path: Path) -> float:
    """Seconds of the process that wrote a file, from the facts beside it; NaN where they are not there."""
    try:
        return float(json.loads(path.with_suffix(".run.json").read_text(encoding="utf-8"))["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return float("nan")
