"""The verb ``score-forecasts``."""

from pathlib import Path

import click

from assimilearn import store
from assimilearn.cli.forecasters import read_forecaster
from assimilearn.cli.inputs import (
    read_observations,
    read_one_of,
    refuse_others,
    refuse_others_of_truth,
    usable,
)
from assimilearn.cli.options import FILE, NETCDF, Origin, origin_options, settings_option
from assimilearn.study.seeds import generator
from assimilearn.verification import ForecastSettings, score_forecasts


@click.command("score-forecasts")
@click.argument("model", type=FILE)
@click.argument("output", type=NETCDF)
@click.option("--analysis", type=FILE, required=True, help="the analysis that the forecasts start from")
@click.option("--observations", type=FILE, required=True, help="what to verify against where no truth is known")
@click.option(
    "--climate", type=FILE, required=True, help="file of `climate` of the reference model, or of `climatology`"
)
@click.option("--truth", type=FILE, help="the truth, if it is known")
@click.option("--withheld", type=FILE, help="what to verify against where no truth is known, instead of observations")
@settings_option(ForecastSettings)
@origin_options
def command(
    model: Path,
    output: Path,
    analysis: Path,
    observations: Path,
    climate: Path,
    truth: Path | None,
    withheld: Path | None,
    settings: ForecastSettings,
    origin: Origin,
) -> None:
    """Score the forecasts and the free run of the MODEL of a file, physical or learned."""
    forecaster, kind, described = read_forecaster(model)
    analysed, observed = store.read(analysis, "analyses"), read_observations(observations)
    known = read_one_of(truth, "truth")
    refuse_others(analysis, analysed, observations=observations)
    refuse_others_of_truth(observations, observed, truth, known)
    dataset = score_forecasts(
        forecaster,
        analysed,
        known,
        observed,
        store.read(climate, "model", "climatology"),
        settings,
        generator(origin.seed, "verification", origin.realization),
        usable(withheld, store.read(withheld, "withheld")) if withheld else None,
    )
    dataset.attrs |= {"model_kind": kind, "method": described.attrs["method"]}
    inputs = {"model": model, "analysis": analysis, "observations": observations, "climate": climate, "truth": truth}
    inputs |= {"withheld": withheld}
    origin.write(dataset, output, "forecast_scores", settings, inputs)
