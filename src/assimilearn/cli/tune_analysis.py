"""The verb ``tune-analysis``."""

from pathlib import Path

import click

from assimilearn.assimilation import AnyAnalysis
from assimilearn.cli.forecasters import read_forecaster
from assimilearn.cli.inputs import (
    CLIMATE,
    read_before_test,
    read_climatology,
    read_physics,
    refuse_others,
    usable,
)
from assimilearn.cli.options import FILE, NETCDF, Origin, origin_options, plain, settings_option
from assimilearn.cli.steps import read_step
from assimilearn.cli.workers import Workers, workers_options
from assimilearn.emulators import AnyEmulator
from assimilearn.errors import SettingsError
from assimilearn.models import Model
from assimilearn.study.code import code_of
from assimilearn.study.seeds import generator
from assimilearn.tuning.analyses import Learning, TuneAnalysisSettings, tune_analysis
from assimilearn.tuning.journal import identity, journal


@click.command("tune-analysis")
@click.argument("observations", type=FILE)
@click.argument("output", type=NETCDF)
@click.option("--climate", type=FILE, required=True, help=CLIMATE)
@click.option("--model", type=FILE, help="the forecast model: a file of `climate` or `train`")
@click.option("--analysis", type=FILE, help="instead of a model: what an emulator is to be learned from in every trial")
@settings_option(AnyEmulator, "--emulator", default='{"method": "ridge"}', help="settings of that emulator")
@click.option("--physics", type=FILE, help="file of `climate`: the physical model, for emulators that correct one")
@click.option("--assimilator", type=FILE, help="file of `train-assimilator`, for the method learned")
@click.option("--truth", type=FILE, help="the truth, which only a search for the smallest `rmse` reads")
@settings_option(AnyAnalysis, default='{"method": "etkf"}')
@settings_option(TuneAnalysisSettings, "--search", default='{"inflation": [1, 1.05]}', help="what to search")
@workers_options("threads")
@origin_options
def command(
    observations: Path,
    output: Path,
    climate: Path,
    model: Path | None,
    analysis: Path | None,
    emulator: AnyEmulator,
    physics: Path | None,
    assimilator: Path | None,
    truth: Path | None,
    settings: AnyAnalysis,
    search: TuneAnalysisSettings,
    workers: Workers,
    origin: Origin,
) -> None:
    """Search the settings of an analysis of OBSERVATIONS on the validation period; write every trial to OUTPUT.

    With an analysis to learn from instead of a model, settings `model.*` are those of the emulator, and both are tuned
    together. Finished trials are kept beside OUTPUT until it is written: a search that was killed goes on. The test
    period of no file is read.
    """
    if (model is None) == (analysis is None):
        raise SettingsError("give the forecast model, or an analysis that one is to be learned from: one of the two")
    nodes = [settings, *([emulator] if analysis else [])]
    parts = {"analysis": settings, "search": search} | ({"emulator": emulator} if analysis else {})
    inputs = {"observations": observations, "climate": climate, "model": model, "analysis": analysis}
    inputs |= {"physics": physics, "assimilator": assimilator, "truth": truth}
    observed = usable(observations, read_before_test(observations, "observations"))
    background, known = read_climatology(climate), read_before_test(truth, "truth") if truth else None
    forecaster: Model | Learning
    if analysis is not None:
        learned_from = read_before_test(analysis, "analyses")
        refuse_others(analysis, learned_from, observations=observations)
        forecaster = Learning(learned_from, emulator, read_physics(physics).model if physics else None)
    else:
        assert model is not None
        forecaster = read_forecaster(model).model
    step, code = read_step(assimilator), code_of(*nodes).digest("tune-analysis")
    of_search = identity(plain(parts), origin.seed, origin.realization, inputs, code)
    with journal(output, of_search) as kept:
        dataset = tune_analysis(
            observed,
            forecaster,
            settings,
            search,
            background,
            generator(origin.seed, "analysis", origin.realization),
            workers.count,
            kind=workers.kind,
            truth=known,
            step=step,
            journal=kept,
        )
        origin.write(dataset, output, "tuning", parts, inputs)
