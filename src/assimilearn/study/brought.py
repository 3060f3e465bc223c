"""The files that a study names, opened before anything runs, to find what the verbs would find wrong with them."""

from collections.abc import Iterator, Mapping

import xarray as xr

from assimilearn.errors import AssimilearnError
from assimilearn.models import build
from assimilearn.observations.brought import read_brought
from assimilearn.observations.dates import seconds_of
from assimilearn.observations.files import ingest, ingest_truth
from assimilearn.observations.network_files import sites_from_file
from assimilearn.observations.times import observation_steps
from assimilearn.periods import FLAGS
from assimilearn.study.problems import Problem
from assimilearn.study.schema import BroughtData, Scenario


def file_problems(scenarios: Mapping[str, Scenario]) -> list[Problem]:
    """Everything that is wrong with files that users bring, each thing once.

    Parameters
    ----------
    scenarios : mapping of names to validated scenarios
    """
    found = (problem for scenario in scenarios.values() for problem in of_scenario(scenario))
    return list(dict.fromkeys(found))


def of_scenario(scenario: Scenario) -> Iterator[Problem]:
    """Problems of the files of one scenario."""
    if scenario.data is not None:
        yield from _of_data(scenario, scenario.data)
        return
    for name, instrument in scenario.observations.each.items():
        if instrument.network.file is not None:
            section = f"observations.instruments.{name}" if name else "observations"
            yield from _of_network(scenario, str(instrument.network.file), f"{section}.network.path")


def _of_data(scenario: Scenario, data: BroughtData) -> Iterator[Problem]:
    """Problems of observations, and of a truth where there is one."""
    model = build(next(iter(scenario.models.values())))
    observations: xr.Dataset | None = None
    try:
        file = read_brought(data.observations)
        time_unit = None if data.time_unit is None else seconds_of(data.time_unit)
        observations = ingest(
            *(file, scenario.periods, model.size, model.time_step, data.error_std), time_unit=time_unit
        )
    except AssimilearnError as error:
        yield _told("data.observations", data.observations, error)
    else:
        yield from _too_short(scenario, observations)
    if data.truth is None:
        return
    try:
        truth = read_brought(data.truth)
        if observations is not None:
            ingest_truth(truth, observations, model.size, model.time_step)
    except AssimilearnError as error:
        yield _told("data.truth", data.truth, error)


def _too_short(scenario: Scenario, observations: xr.Dataset) -> Iterator[Problem]:
    """Forecasts start and end in the test period of the observations."""
    test = observations["time"].values[observations["period"].values == FLAGS["test"]]
    longest, lead = float(test[-1] - test[0]), scenario.forecasts.lead
    if scenario.analyses and lead > longest + 1e-9:
        reason = f"forecasts start and end in the test period, which lasts {longest:g} MTU: shorten it or lengthen"
        yield Problem("forecasts.lead", lead, f"{reason} `periods.test`")


def _of_network(scenario: Scenario, path: str, setting: str) -> Iterator[Problem]:
    """Problems of a network, at the times at which it will be used."""
    model = build(scenario.models[scenario.truth.model or next(iter(scenario.models))])
    times = observation_steps(scenario.observations.every, scenario.periods.total) * model.time_step
    try:
        sites_from_file(path, model.size, times)
    except AssimilearnError as error:
        yield _told(setting, path, error)


def _told(setting: str, path: str, error: AssimilearnError) -> Problem:
    """A problem with a file, in one line that names it."""
    message = " ".join(str(error).split())
    return Problem(setting, None, message if path in message else f"{path}: {message}")
