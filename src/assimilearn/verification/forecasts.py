"""Forecast skill against lead time, valid prediction time, and the climate of free runs of one model.

Forecasts start from analyses and, where there is a truth, from true states, at times spread evenly over the test
period; all of them advance together. Errors are spatial RMSEs divided by the climatological standard deviation, so that
1 is the error of the climatological mean and sqrt(2) that of a random state. A forecast that blows up is recorded,
never averaged: after its last finite lead the mean error is NaN; its valid time is at most that lead.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from pydantic import Field

from assimilearn.errors import FileError, SettingsError
from assimilearn.models.fields import field_scales, geometry_in, with_geometry
from assimilearn.models.geometry import geometry_of
from assimilearn.models.lyapunov import lyapunov_exponents
from assimilearn.models.protocol import Model, draws_of
from assimilearn.observations.dates import clock_of
from assimilearn.observations.operators import operator_of, rows_of
from assimilearn.observations.rows import observed_values
from assimilearn.settings import Settings
from assimilearn.verification.climate import pooled_std
from assimilearn.verification.free_runs import free_run_climate
from assimilearn.verification.matching import at_times, indices_at, observed_sites, root_mean_square, test_period
from assimilearn.verification.references import references
from assimilearn.verification.runs import runs
from assimilearn.verification.uncertainty import mean_and_uncertainty
from assimilearn.verification.valid_time import valid_time


class ForecastSettings(Settings):
    """How forecasts are started, how far they go, and how long the model runs freely."""

    starts: int = Field(100, ge=1, description="number of start times, spread evenly over the test period")
    lead: float = Field(5.0, gt=0, description="longest lead in MTU")
    members: int = Field(
        20, ge=2, description="forecasts from each start where a model has chance in its steps: their mean is scored"
    )
    leads: tuple[float, ...] = Field((), description="leads in MTU whose root mean square errors the scorecard states")
    threshold: float = Field(0.5, gt=0, description="error, in climatological standard deviations, that ends the skill")
    free_run: float = Field(100.0, ge=0, description="MTU of each free run that the climate is measured over; 0: none")
    free_runs: int = Field(10, ge=1, description="number of free runs, which advance together")
    spinup: float = Field(10.0, ge=0, description="MTU of each free run before its climate is measured")
    lyapunov_duration: float = Field(0.0, ge=0, description="MTU over which Lyapunov exponents are averaged; 0: none")


SHOWN = 2000  # values of one-step forecasts that are kept


@dataclass(frozen=True)
class Errors:
    """Errors (start, lead) of the forecasts from one kind of initial state, and the states of all leads.

    ``of_fields`` holds those of each field, where there are several and a truth; ``spread`` is the root of the mean
    variance of the members over the sites, in the units of the errors, where a model has chance in its steps.
    """

    error: np.ndarray
    states: np.ndarray
    of_fields: dict[str, np.ndarray]
    spread: np.ndarray | None


def score_forecasts(
    model: Model,
    analysis: xr.Dataset,
    truth: xr.Dataset | None,
    observations: xr.Dataset,
    climatology_file: xr.Dataset,
    settings: ForecastSettings,
    rng: np.random.Generator,
    withheld: xr.Dataset | None = None,
) -> xr.Dataset:
    """Scores of the forecasts and of the free run of ``model``.

    Parameters
    ----------
    model : Model
    analysis : Dataset
        ``mean(time, site)`` with the coordinate ``period``: forecasts start from it in the test period.
    truth : Dataset or None
        Without it, errors are against the observations (and include the observation error), forecasts start from the
        analysis alone, there is no valid time, and the forecasts are held against those of
        :mod:`assimilearn.verification.references`.
    observations : Dataset
    climatology_file : Dataset
        The climate and the Lyapunov exponents that errors and leads are measured by.
    settings : ForecastSettings
    rng : numpy.random.Generator
        Chooses the analyses that the free runs start from, and the first perturbations of Lyapunov exponents.
    withheld : Dataset, optional
        Values of a record that no analysis saw: what the forecasts are then verified against, instead of observations.

    Returns
    -------
    Dataset, the artifact scores/forecasts of the architecture. Leads are those multiples of the model's time step at
    which there is something to verify against.

    Raises
    ------
    FileError
        If the test period is too short for one forecast, or nothing verifies at any lead above 0.
    SettingsError
        If the free run is shorter than a segment of the climatology file's power spectrum.
    """
    _check_sizes(model, analysis, truth, climatology_file)
    observed_sites(observations, model.size)  # refuses sites that the model does not have
    steps = max(int(settings.lead / model.time_step + 1e-6), 1)
    verifying = truth if truth is not None else observations if withheld is None else withheld
    starts = _starts(analysis, verifying, steps * model.time_step, settings.starts)
    initial = {"analysis": at_times(analysis, starts, "analysis")["mean"].values.astype(float)}
    if truth is not None:
        initial["truth"] = at_times(truth, starts, "truth")["state"].values.astype(float)
    times = starts[:, None] + model.time_step * np.arange(steps + 1)
    where = indices_at(verifying["time"].values, times)
    kept = np.flatnonzero((where >= 0).all(axis=0) if truth is not None else (where >= 0).any(axis=0))
    if not (kept > 0).any():
        raise FileError(f"nothing to verify against at multiples of the model's step of {model.time_step:g} MTU")
    errors = {
        name: _errors(model, states, verifying, where[:, kept], kept, climatology_file, settings.members, rng)
        for name, states in initial.items()
    }
    dataset = _dataset(errors, starts, kept * model.time_step, settings, climatology_file)
    if truth is not None:
        dataset = dataset.merge(_valid_times(dataset, settings), combine_attrs="override")
        dataset = dataset.merge(_first_step(errors["truth"], initial["truth"], truth, where[:, kept], kept))
    if truth is None:
        held = references(
            *(errors["analysis"].states, kept * model.time_step, analysis, verifying, where[:, kept], climatology_file),
            geometry_in(climatology_file),
        )
        dataset = dataset.merge(held, combine_attrs="override")
        dataset.attrs["verified_against"] = "withheld values" if withheld is not None else "later observations"
    dataset = dataset.merge(_example(dataset, errors, truth, where[:, kept]), combine_attrs="override")
    climate, free_run = free_run_climate(
        model, analysis, climatology_file, settings.free_run, settings.free_runs, settings.spinup, rng
    )
    dataset = dataset.merge(climate, combine_attrs="override")
    if settings.lyapunov_duration > 0:
        dataset = _with_lyapunov_exponents(dataset, model, analysis, climatology_file, settings.lyapunov_duration, rng)
    dataset = dataset.merge(_errors_at(dataset, settings.leads), combine_attrs="override")
    facts = {"lyapunov_time": lyapunov_time(climatology_file), "free_run": free_run, **_status(errors)}
    clock = clock_of(analysis.attrs)
    dataset = dataset.assign_coords(clock.coordinates(starts, "start", "start_date"))
    return with_geometry(dataset.assign_attrs(facts | clock.attributes), geometry_in(climatology_file))


def _with_lyapunov_exponents(
    dataset: xr.Dataset,
    model: Model,
    analysis: xr.Dataset,
    climatology_file: xr.Dataset,
    duration: float,
    rng: np.random.Generator,
) -> xr.Dataset:
    """As many exponents as the climatology file has, along a trajectory from the first analysis of the test period."""
    means = analysis["mean"].values[test_period(analysis)].astype(float)
    finite = np.flatnonzero(np.isfinite(means).all(axis=1))
    reference = np.sort(climatology_file["lyapunov_exponent"].values)[::-1]
    exponents = np.full(reference.size, np.nan)
    if finite.size:
        exponents = lyapunov_exponents(model, duration, rng, reference.size, start=means[finite[0]])
    units = {"units": "MTU-1"}
    return dataset.assign(
        lyapunov_exponent=("index", exponents, units | {"long_name": "Lyapunov exponent of the model"}),
        lyapunov_reference=("index", reference, units | {"long_name": "Lyapunov exponent of the reference"}),
    ).assign_coords(index=("index", np.arange(reference.size), {"units": "1", "long_name": "index of the exponent"}))


def lyapunov_time(climatology_file: xr.Dataset) -> float:
    """1 / first Lyapunov exponent, in MTU; NaN where there is none or it is not positive."""
    if "lyapunov_exponent" not in climatology_file:
        return float("nan")
    first = float(climatology_file["lyapunov_exponent"].max())
    return 1 / first if first > 0 else float("nan")


def _check_sizes(model: Model, analysis: xr.Dataset, truth: xr.Dataset | None, climatology_file: xr.Dataset) -> None:
    sizes = {"analysis": analysis.sizes["site"], "climatology file": climatology_file.sizes["site"]}
    if truth is not None:
        sizes["truth"] = truth.sizes["site"]
    for name, size in sizes.items():
        if size != model.size:
            raise FileError(f"the {name} has {size} sites and the model {model.size}")


def _starts(analysis: xr.Dataset, verifying: xr.Dataset, lead: float, count: int) -> np.ndarray:
    """Up to ``count`` analysis times of the test period, evenly spread, all leads of which end within ``verifying``."""
    times = analysis["time"].values
    test = times[test_period(analysis)]
    possible = test[test + lead <= verifying["time"].values[-1] + 1e-6]
    if possible.size == 0:
        raise FileError(
            f"the test period ({test.size} analysis times) is too short for a forecast of {lead:g} MTU: lengthen "
            "`periods.test` or shorten `lead`"
        )
    return possible[np.unique(np.linspace(0, possible.size - 1, count).round().astype(int))]


def _errors(
    model: Model,
    initial: np.ndarray,
    verifying: xr.Dataset,
    where: np.ndarray,
    kept: np.ndarray,
    climate: xr.Dataset,
    members: int,
    rng: np.random.Generator,
) -> Errors:
    """Errors at the steps ``kept`` against the truth or the observations at index ``where (start, lead)``."""
    geometry = geometry_in(climate)
    several = len(geometry.fields) > 1  # then errors are in units of the climatological std of each field
    scales = field_scales(climate, geometry) if several else np.ones(1)
    members = members if draws_of(model) > 0 else 1
    states, variance = np.empty((len(initial), kept.size, model.size)), np.zeros((len(initial), kept.size))
    column = {int(step): j for j, step in enumerate(kept)}
    moments = climate["mean"].values, climate["std"].values
    for k, state in enumerate(runs(model, np.repeat(initial, members, axis=0), int(kept[-1]), *moments, rng)):
        if k in column:
            ensemble = state.reshape(len(initial), members, model.size)
            states[:, column[k]] = ensemble.mean(axis=1)
            if members > 1:
                variance[:, column[k]] = (ensemble / scales).var(axis=1, ddof=1).mean(axis=1)
    spread = np.sqrt(variance) / (1.0 if several else pooled_std(climate)) if members > 1 else None
    of_fields = {}
    if "state" in verifying:
        error = root_mean_square((states - verifying["state"].values[where]) / scales)
        if several:
            parts = geometry.split((states - verifying["state"].values[where]) / scales)
            of_fields = {n: root_mean_square(part.reshape(*part.shape[:2], -1)) for n, part in parts.items()}
    else:
        operator = operator_of(verifying, geometry_of({**verifying.attrs, "size": model.size}))
        departures = verifying["value"].values[where] - observed_values(states, rows_of(verifying)[where], operator)
        departures = departures / scales[verifying["site_index"].values[where]] if several else departures
        there = verifying["valid"].values[where].astype(bool) & (where >= 0)[..., None]
        error = root_mean_square(departures, there)
    return Errors(error if several else error / pooled_std(climate), states, of_fields, spread)


def _dataset(
    errors: dict[str, Errors],
    starts: np.ndarray,
    leads: np.ndarray,
    settings: ForecastSettings,
    climatology_file: xr.Dataset,
) -> xr.Dataset:
    """Errors and their means over the starts."""
    error = np.stack([part.error for part in errors.values()])
    lost = np.stack([np.isnan(part.states).any(axis=(0, 2)) for part in errors.values()])
    averaged = np.array([[mean_and_uncertainty(error[i, :, j]) for j in range(leads.size)] for i in range(len(errors))])
    averaged[lost] = np.nan
    axes = ("initial", "lead")
    normalised = "spatial RMSE of the forecast over the climatological standard deviation"
    own = next(iter(errors.values())).of_fields
    of_fields = {
        f"error_{name}": (
            ("initial", "start", "lead"),
            np.stack([part.of_fields[name] for part in errors.values()]),
            {"units": "1", "long_name": f"{normalised}, of the field {name}"},
        )
        for name in own
    }
    spreads = [part.spread for part in errors.values() if part.spread is not None]
    if spreads:
        text = {"units": "1", "long_name": "ensemble spread of the forecast over the climatological standard deviation"}
        of_fields["spread"] = (("initial", "start", "lead"), np.stack(spreads), text)
    return xr.Dataset(
        {
            **of_fields,
            "error": (("initial", "start", "lead"), error, {"units": "1", "long_name": normalised}),
            "error_mean": (
                axes,
                averaged[..., 0],
                {"units": "1", "long_name": f"mean over starts of the {normalised}"},
            ),
            "error_uncertainty": (axes, averaged[..., 1], {"units": "1", "long_name": "standard error of error_mean"}),
        },
        coords={
            "initial": ("initial", list(errors), {"units": "1", "long_name": "what the forecasts start from"}),
            "start": ("start", starts, {"units": "MTU", "long_name": "time of the initial state"}),
            "lead": ("lead", leads, {"units": "MTU", "long_name": "lead time"}),
        },
        attrs={"threshold": settings.threshold, "normalisation": pooled_std(climatology_file)},
    )


def _valid_times(dataset: xr.Dataset, settings: ForecastSettings) -> xr.Dataset:
    """Valid time of every forecast, which of them are censored at the last lead, and means over the starts."""
    times = valid_time(dataset["error"].values, dataset["lead"].values, settings.threshold)
    averaged = np.array([mean_and_uncertainty(row) for row in times.value])
    unknown = np.isnan(times.value).any(axis=1)
    averaged[unknown] = np.nan
    axes = ("initial", "start")
    what = f"first lead with an error above {settings.threshold:g}"
    return xr.Dataset(
        {
            "valid_time": (axes, times.value, {"units": "MTU", "long_name": what}),
            "censored": (
                axes,
                times.censored.astype(np.int8),
                {"units": "1", "long_name": "1 where the error was still below the threshold at the last lead"},
            ),
            "valid_time_mean": (
                "initial",
                averaged[:, 0],
                {"units": "MTU", "long_name": f"mean over starts of {what}"},
            ),
            "valid_time_uncertainty": (
                "initial",
                averaged[:, 1],
                {"units": "MTU", "long_name": "standard error of valid_time_mean"},
            ),
        }
    )


def _errors_at(dataset: xr.Dataset, leads: tuple[float, ...]) -> xr.Dataset:
    """Root mean square errors over all starts at some of the leads.

    Raises
    ------
    SettingsError
        If one of them is no lead of the forecasts.
    """
    if not leads:
        return xr.Dataset()
    for lead in leads:
        if np.abs(dataset["lead"].values - lead).min() > 1e-6:
            raise SettingsError(f"forecasts.leads: {lead:g} MTU is no lead at which forecasts are verified")
    told = {"units": "1", "long_name": "root mean square error over all starts, in climatological standard deviations"}
    found = {}
    for name, errors in dataset.items():
        if errors.dims == ("initial", "start", "lead") and str(name).startswith("error"):
            chosen = errors.sel(lead=list(leads), method="nearest").values
            at = "error_at" + str(name).removeprefix("error")
            found[at] = (("initial", "told_lead"), np.sqrt(np.mean(chosen**2, axis=1)), told)
    return xr.Dataset(
        found,
        {"told_lead": ("told_lead", np.array(leads), {"units": "MTU", "long_name": "lead time"})},
    )


def _first_step(
    errors: Errors, initial: np.ndarray, truth: xr.Dataset, where: np.ndarray, kept: np.ndarray
) -> xr.Dataset:
    """Increments of one step from true states, and the true ones, at some of the starts and sites."""
    if 1 not in kept:
        return xr.Dataset()
    at = int(np.flatnonzero(kept == 1)[0])
    found = (errors.states[:, at] - initial).ravel()
    true = (truth["state"].values[where[:, at]] - initial).ravel()
    chosen = np.unique(np.linspace(0, found.size - 1, min(found.size, SHOWN)).astype(int))
    texts = {
        "increment": (found, "increments of forecasts of one step from true states"),
        "true_increment": (true, "increments of the truth over these steps"),
    }
    return xr.Dataset(
        {n: ("sample", v[chosen].astype(np.float32), {"units": "1", "long_name": t}) for n, (v, t) in texts.items()}
    )


def _example(dataset: xr.Dataset, errors: dict[str, Errors], truth: xr.Dataset | None, where: np.ndarray) -> xr.Dataset:
    """One forecast from an analysis: that of the median valid time, or without truth of the median mean error."""
    if truth is not None:
        quality = dataset["valid_time"].values[0]
    else:
        quality = dataset["error"].isel(initial=0).mean("lead").values
    chosen = int(np.argsort(quality, kind="stable")[(quality.size - 1) // 2])
    example = xr.Dataset()
    example["forecast"] = (
        ("lead", "site"),
        errors["analysis"].states[chosen],
        {"units": "1", "long_name": "one forecast from an analysis"},
    )
    if truth is not None:
        verifying = truth["state"].values[where[chosen]]
        example["verifying"] = (("lead", "site"), verifying, {"units": "1", "long_name": "truth of that forecast"})
    example["example_start"] = (
        (),
        dataset["start"].values[chosen],
        {"units": "MTU", "long_name": "start of the example forecast"},
    )
    site = np.arange(errors["analysis"].states.shape[2])
    return example.assign_coords(site=("site", site, {"units": "1", "long_name": "site index"}))


def _status(errors: dict[str, Errors]) -> dict[str, Any]:
    """Status "ok", or "diverged" and how many forecasts were lost."""
    lost = {name: int(np.isnan(part.states).any(axis=(1, 2)).sum()) for name, part in errors.items()}
    if not any(lost.values()):
        return {"status": "ok"}
    count = len(next(iter(errors.values())).error)
    reason = " and ".join(f"{number} of {count} forecasts from the {name}" for name, number in lost.items() if number)
    return {"status": "diverged", "reason": f"{reason} blew up or had no finite start"}
