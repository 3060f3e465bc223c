"""The files that a study names, opened before anything runs, to find what the verbs would find wrong with them."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import xarray as xr

from assimilearn.errors import AssimilearnError
from assimilearn.models import build
from assimilearn.models.fields import model_geometry
from assimilearn.models.geometry import geometry_of
from assimilearn.observations.brought import read_brought
from assimilearn.observations.climatology import climatology_of_record
from assimilearn.observations.files import ingest, ingest_truth
from assimilearn.observations.networks import listed_places
from assimilearn.observations.times import observation_steps
from assimilearn.periods import FLAGS
from assimilearn.study.consistency import unlike_sites, unsuited_figures
from assimilearn.study.geometries import geometry_of_states
from assimilearn.study.problems import Problem
from assimilearn.study.records import brought_record
from assimilearn.study.schema import BroughtData, Scenario
from assimilearn.study.seeds import generator
from assimilearn.study.understood import understood


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
            yield from _of_network(scenario, instrument.network, f"{section}.network.path")


def _of_data(scenario: Scenario, data: BroughtData) -> Iterator[Problem]:
    """Problems of observations, and of a truth where there is one."""
    try:
        observations = ingested(scenario, data)
    except AssimilearnError as error:
        yield _told("data.observations", data.observations, error)
        if data.truth is not None:
            yield from _unreadable(data.truth)
        return
    yield from _too_short(scenario, observations)
    if not scenario.models:
        yield from _of_record(scenario, data, observations)
    if data.truth is None:
        return
    try:
        ingest_truth(read_brought(data.truth), observations)
    except AssimilearnError as error:
        yield _told("data.truth", data.truth, error)


def _unreadable(truth: str) -> Iterator[Problem]:
    """Why a truth cannot even be read; what it lacks is another question, which the observations decide."""
    try:
        read_brought(truth)
    except AssimilearnError as error:
        yield _told("data.truth", truth, error)


def ingested(scenario: Scenario, data: BroughtData, part: Literal["kept", "withheld"] = "kept") -> xr.Dataset:
    """The observations of a scenario as the verb ``ingest`` would make them."""
    physics = [build(model) for model in list(scenario.models.values())[:1]]
    geometry, time_step = (model_geometry(physics[0]), physics[0].time_step) if physics else (None, None)
    record, rng = brought_record(data), generator(scenario.seed, "withholding")
    return ingest(record, scenario.periods, data, geometry, time_step, rng=rng, part=part)


def record_lines(scenario: Scenario) -> list[str]:
    """What was understood of the record of a scenario, in lines for a reader; nothing where it simulates."""
    if scenario.data is None:
        return []
    withheld = ingested(scenario, scenario.data, "withheld") if scenario.data.withhold is not None else None
    return [scenario.data.observations, *understood(ingested(scenario, scenario.data), withheld)]


def _of_record(scenario: Scenario, data: BroughtData, observations: xr.Dataset) -> Iterator[Problem]:
    """What the sites of a record do not allow, and what its climatology is asked for."""
    geometry = geometry_of(observations.attrs)
    yield from unlike_sites(scenario, geometry)
    yield from unsuited_figures(scenario, geometry)
    try:
        climatology = climatology_of_record(observations, data.climatology)
    except AssimilearnError as error:
        yield _told("data.observations", data.observations, error)
        return
    segment, free_run = 1 / float(climatology["frequency"][1]), scenario.forecasts.free_run
    if scenario.analyses and 0 < free_run < segment:
        message = f"shorter than a segment of the power spectrum ({segment:g} MTU): lengthen it, set it to 0 for no run"
        yield Problem("forecasts.free_run", free_run, f"{message}, or shorten `data.climatology.segment`")


def _too_short(scenario: Scenario, observations: xr.Dataset) -> Iterator[Problem]:
    """Forecasts start and end in the test period of the observations."""
    test = observations["time"].values[observations["period"].values == FLAGS["test"]]
    longest, lead = float(test[-1] - test[0]), scenario.forecasts.lead
    if scenario.analyses and lead > longest + 1e-9:
        reason = f"forecasts start and end in the test period, which lasts {longest:g} MTU: shorten it or lengthen"
        yield Problem("forecasts.lead", lead, f"{reason} `periods.test`")


def _of_network(scenario: Scenario, network: Any, setting: str) -> Iterator[Problem]:
    """Problems of a network, at the times at which it will be used."""
    model = build(scenario.models[scenario.truth.model or next(iter(scenario.models))])
    times = observation_steps(scenario.observations.every, scenario.periods.total) * model.time_step
    try:
        listed_places(network, geometry_of_states(scenario), times)
    except AssimilearnError as error:
        yield _told(setting, network.path, error)


def _told(setting: str, path: str, error: AssimilearnError) -> Problem:
    """A problem with a file, in one line that names it."""
    message = " ".join(str(error).split())
    return Problem(setting, None, message if path in message else f"{path}: {message}")
