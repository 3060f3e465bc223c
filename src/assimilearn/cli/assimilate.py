"""The verb ``assimilate``."""

from pathlib import Path

import click
import numpy as np
import xarray as xr

from assimilearn import store
from assimilearn.assimilation import AnyAnalysis, assimilate
from assimilearn.assimilation.background.climatology import Background
from assimilearn.assimilation.beginning import BeginningSettings, beginning
from assimilearn.assimilation.cycling.streaming import assimilate_to_file, is_streamed
from assimilearn.assimilation.selection import candidate
from assimilearn.cli.forecasters import read_forecaster
from assimilearn.cli.health import tell_health
from assimilearn.cli.inputs import CLIMATE, read_climatology, read_observations, read_one_of, refuse_others
from assimilearn.cli.options import FILE, NETCDF, Origin, origin_options, settings_option
from assimilearn.cli.steps import read_step
from assimilearn.errors import SettingsError
from assimilearn.study.seeds import generator
from assimilearn.tuning.chosen import chosen_for_analysis


@click.command("assimilate")
@click.argument("observations", type=FILE)
@click.argument("output", type=NETCDF)
@click.option("--model", type=FILE, required=True, help="the forecast model: a file of `climate` or `train`")
@click.option("--climate", type=FILE, required=True, help=CLIMATE)
@click.option("--assimilator", type=FILE, help="file of `train-assimilator`, for the method learned")
@settings_option(AnyAnalysis, default='{"method": "etkf"}')
@settings_option(BeginningSettings, "--start", help="where the run begins, if not at the climatology")
@click.option("--truth", type=FILE, help="the truth, which only a start beside it reads")
@click.option("--tuned", type=FILE, help="file of `tune-analysis`: its chosen settings replace those given")
@origin_options
def command(
    observations: Path,
    output: Path,
    model: Path,
    climate: Path,
    assimilator: Path | None,
    settings: AnyAnalysis,
    start: BeginningSettings,
    truth: Path | None,
    tuned: Path | None,
    origin: Origin,
) -> None:
    """Assimilate the OBSERVATIONS of a file into forecasts of a model and write the analyses to OUTPUT."""
    rng = generator(origin.seed, "analysis", origin.realization)
    forecaster, kind, _ = read_forecaster(model)
    background = read_climatology(climate)
    inputs = {"observations": observations, "model": model, "climate": climate, "assimilator": assimilator}
    inputs |= {"tuned": tuned, "truth": truth}
    first = begun(start, truth, background, origin)
    step, search, chosen = read_step(assimilator), read_one_of(tuned, "tuning"), {}
    facts = {"start": start.canonical()} if start.start_std is not None else {}
    if tuned is not None and search is not None:
        refuse_others(tuned, search, observations=observations, climate=climate)
        settings = candidate(settings, chosen_for_analysis(search), "tuned")
        chosen = {"tuned": search.attrs["chosen"]}
    with store.opened(observations, "observations") as observed:
        if is_streamed(observed, forecaster, settings):
            facts |= origin.provenance(output, "analyses", settings, inputs)
            assimilate_to_file(
                *(observed, forecaster, settings, background, rng, output, first), **facts, model_kind=kind, **chosen
            )
            with store.opened(output, "analyses") as written:
                tell_health(output.stem, written.attrs)
            return
    dataset = assimilate(read_observations(observations), forecaster, settings, background, rng, step, first)
    dataset.attrs |= {"model_kind": kind, **facts, **chosen}
    origin.write(dataset, output, "analyses", settings, inputs)
    tell_health(output.stem, dataset.attrs)


def begun(settings: BeginningSettings, truth: Path | None, climate: xr.Dataset, origin: Origin) -> Background | None:
    """Distribution of the state before the first observation, as in realization 0 of sweeps; None: the climatology.

    Raises
    ------
    SettingsError
        If the start is beside a truth that is not given.
    """
    if not settings.beside_truth:
        return beginning(climate["mean"].values, settings, np.random.default_rng(0))
    if truth is None:
        raise SettingsError("start_std alone is a start beside the truth: give the truth, or start_mean")
    rng = generator(origin.seed, "truth", origin.realization).spawn(1)[0]
    with store.opened(truth, "truth") as states:
        return beginning(states["state"][0].values, settings, rng)
