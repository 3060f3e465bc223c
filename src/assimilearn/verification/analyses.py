"""Scores of one analysis, in time and over the test period, with the truth or against the observations alone.

Two conventions of the RMSE are kept apart. ``rmse`` is the spatial RMSE of the analysis mean at each time, and its
entry in ``mean(score)`` is the time mean of that: the number that data assimilation papers print. ``rmse_pooled`` is
the root of the mean square over times and sites, never smaller. Spreads are root mean squares over sites, as they must
be to compare with an RMSE (Fortin et al. 2014, J. Hydrometeorol. 15, 1708-1713).

What a run that diverged has left is kept in time, but not averaged: its means are NaN and ``status`` says why. One that
is "lost" has its scores: they are what it is worth.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from assimilearn.errors import FileError
from assimilearn.models.fields import geometry_in
from assimilearn.models.geometry import Geometry, geometry_of
from assimilearn.models.regions import Region, Regions, masks
from assimilearn.observations.dates import clock_of
from assimilearn.observations.operators import operator_of, rows_of
from assimilearn.observations.rows import observed_values
from assimilearn.verification.desroziers import desroziers
from assimilearn.verification.ensembles import (
    SpreadSkill,
    crps_ensemble,
    crps_gaussian,
    flatness,
    log_score_gaussian,
    rank_histogram,
    spread_skill,
)
from assimilearn.verification.matching import (
    at_times,
    indices_at,
    mean_over,
    observed_sites,
    root_mean_square,
    test_period,
)
from assimilearn.verification.uncertainty import mean_and_uncertainty

CONVENTION = (
    "rmse: time mean of the spatial RMSE of the ensemble mean; "
    "rmse_pooled: root of the mean over times and sites of the squared error; "
    "spread: time mean of the root of the mean over sites of the variance"
)

OF_FIELDS = (
    "; all fields are divided by their climatological standard deviation; {score}_{field} is the score of one field, "
    "in its own units"
)

LONG_NAMES = {
    "rmse": "spatial RMSE of the analysis mean",
    "rmse_observed": "RMSE of the analysis mean over the sites observed at that time",
    "rmse_unobserved": "RMSE of the analysis mean over the sites not observed at that time",
    "bias": "spatial mean of analysis mean minus truth",
    "spread": "spatial root mean square of the analysis spread",
    "crps_gaussian": "CRPS of the normal distribution with the mean and spread of the analysis, mean over sites",
    "log_score": "minus log density of the truth in the normal distribution with the mean and spread of the analysis, "
    "mean over sites",
    "crps": "CRPS of the analysis ensemble (of its empirical distribution, not the fair one), mean over sites",
    "forecast_rmse": "spatial RMSE of the forecast mean",
    "forecast_spread": "spatial root mean square of the forecast spread",
    "innovation_rmse": "root mean square of observation minus forecast",
    "innovation_bias": "mean of observation minus forecast",
    "innovation_spread": "root mean square of the predicted standard deviation of the innovations",
    "innovation_chi_square": "mean over observations of (innovation / predicted standard deviation) squared",
    "innovation_crps": "CRPS of the normal distribution predicted for the observations, mean over observations",
    "innovation_log_score": "minus log density of the observations in the normal distribution predicted for them, "
    "mean over observations",
    "residual_rmse": "root mean square of observation minus analysis, of the observations that the analysis used",
    "desroziers_observation": "observation error variance after Desroziers et al. (2005), mean over observations",
    "desroziers_forecast": "forecast error variance after Desroziers et al. (2005), mean over observations",
    "desroziers_analysis": "analysis error variance after Desroziers et al. (2005), mean over observations",
    "withheld_rmse": "root mean square of withheld value minus analysis, observation errors included",
    "withheld_bias": "mean of withheld value minus analysis",
    "withheld_spread": "root mean square of the predicted standard deviation of withheld values",
    "withheld_chi_square": "mean over withheld values of (their departure / its predicted standard deviation) squared",
    "withheld_crps": "CRPS of the normal distribution predicted for withheld values, mean over them",
    "rmse_pooled": "root of the mean over times and sites of the squared error of the analysis mean",
}
SQUARED = {"desroziers_observation", "desroziers_forecast", "desroziers_analysis"}
WITHOUT_UNITS = {"innovation_chi_square", "withheld_chi_square", "log_score", "innovation_log_score"}
SPREAD_BINS = 10
NO_REGIONS: dict[str, Region] = {}


def score_analysis(
    analysis: xr.Dataset,
    observations: xr.Dataset,
    truth: xr.Dataset | None,
    rng: np.random.Generator,
    withheld: xr.Dataset | None = None,
    regions: Regions = NO_REGIONS,
) -> xr.Dataset:
    """Scores of ``analysis`` at every analysis time and their means over the test period.

    Parameters
    ----------
    analysis : Dataset
        Only ``mean`` and the coordinate ``period`` are needed; what else is there is scored too.
    observations : Dataset
        Those that the analysis used.
    truth : Dataset or None
        Without it, only scores against observations are made.
    rng : numpy.random.Generator
        Breaks ties of ranks, and perturbs the forecast members by the observation error where there is no truth.
    withheld : Dataset, optional
        Values of a record that the analysis was not given: it is verified against them.
    regions : {name: Region}, optional
        Parts of the state that have scores of their own, ``rmse_{name}`` and ``spread_{name}``, where there is a truth.

    Returns
    -------
    Dataset with the scores of ``LONG_NAMES`` along ``time``, as far as they can be made; ``rank_histogram(rank)`` over
    the test period (of the truth among the analysis members at times and sites thinned until nearly independent; or
    of the observations among perturbed forecast members); ``binned_spread``, ``binned_error`` and ``binned_cases``
    (bin), root mean squares over ten equal shares of its sites and times (observations and times without truth) in the
    order of their predicted spread; ``mean``, ``uncertainty`` and ``median`` (score).

    Raises
    ------
    FileError
        If observations or truth have no entry at an analysis time, or sizes do not match.
    SettingsError
        If a region is not a part of these states.
    """
    times = analysis["time"].values
    test = test_period(analysis)
    observations = at_times(observations, times, "observations file")
    observed = observed_sites(observations, analysis.sizes["site"])
    geometry = geometry_in(analysis)
    several = len(geometry.fields) > 1
    residual = observation_minus(analysis["mean"], observations)
    state = None if truth is None else _truth_at(truth, times, analysis.sizes["site"])
    unseen = {} if withheld is None else withheld_scores(analysis, at_times(withheld, times, "withheld file"))
    of_fields: dict[str, np.ndarray] = {}
    original = analysis, observations
    if several:
        for name, where in geometry.slices.items():
            of_fields |= of_one_field(analysis, observations, residual, state, observed, name, where)
        scales = _scales(analysis, geometry)
        sites = scales[observations["site_index"].values]
        analysis, residual = scaled(analysis, scales, sites), residual / sites
        state = None if state is None else state / scales
    series = innovation_scores(analysis, observations, residual)
    histogram = None
    status = _status(analysis, test)
    calibration = calibrated(analysis, "innovation", "innovation_std", test)
    if state is not None:
        series |= state_scores(analysis, state, observed)
        series |= scores_of_regions(analysis, state, masks(regions, geometry))
        calibration = calibrated(analysis.assign(error=analysis["mean"] - state), "error", "spread", test)
        if "members" in analysis and status["status"] != "diverged":
            histogram = _ranks_of_truth(analysis, state, test, rng)
    elif "forecast_members" in analysis and status["status"] != "diverged":
        histogram = _ranks_of_observations(*original, test, rng)
    series |= of_fields | unseen
    dataset = _dataset(analysis, series, summary(series, test, status["status"] != "diverged"), histogram, status)
    return (
        dataset
        if calibration is None or status["status"] == "diverged"
        else dataset.assign(_binned(calibration, truth))
    )


def of_one_field(
    analysis: xr.Dataset,
    observations: xr.Dataset,
    residual: np.ndarray,
    truth: np.ndarray | None,
    observed: np.ndarray,
    name: str,
    sites: slice,
) -> dict[str, np.ndarray]:
    """All scores of one field, in its own units, as ``{score}_{field}``."""
    site = observations["site_index"].values
    here = (site >= sites.start) & (site < sites.stop)
    part, seen = analysis.isel(site=sites), observations.assign(valid=observations["valid"] * here)
    series = innovation_scores(part, seen, residual)
    if truth is not None:
        series |= state_scores(part, truth[:, sites], observed[:, sites])
    return {f"{score}_{name}": values for score, values in series.items()}


def scaled(analysis: xr.Dataset, scales: np.ndarray, of_observations: np.ndarray) -> xr.Dataset:
    """``analysis`` in units of ``scales (site,)``, and what is in observation space of those of the observed sites."""
    found = analysis.copy()
    for name, variable in analysis.data_vars.items():
        if "site" in variable.dims:
            found[name] = variable / xr.DataArray(scales, dims="site")
        elif name in ("innovation", "innovation_std"):
            found[name] = variable / of_observations
    return found


def _scales(analysis: xr.Dataset, geometry: Geometry) -> np.ndarray:
    """Climatological standard deviation of the field of each site, (site,), as the analysis states it."""
    known = np.atleast_1d(analysis.attrs.get("field_std", []))
    if known.size != len(geometry.fields):
        raise FileError(
            "the analysis has several fields and lacks their climatological standard deviations (attribute field_std): "
            "make it with assimilearn assimilate"
        )
    return np.asarray(known, dtype=float)[geometry.field_of]


def state_scores(analysis: xr.Dataset, truth: np.ndarray, observed: np.ndarray) -> dict[str, np.ndarray]:
    """Scores against ``truth (time, site)`` at every analysis time; ``observed`` is bool (time, site)."""
    error = _finite(analysis["mean"]) - truth
    series = {
        "rmse": root_mean_square(error),
        "rmse_observed": root_mean_square(error, observed),
        "rmse_unobserved": root_mean_square(error, ~observed),
        "bias": mean_over(error),
    }
    if _has(analysis, "spread"):
        spread = _finite(analysis["spread"])
        series["spread"] = root_mean_square(spread)
        series["crps_gaussian"] = mean_over(crps_gaussian(error, spread, np.zeros_like(error)))
        series["log_score"] = mean_over(log_score_gaussian(error, _above_zero(spread), np.zeros_like(error)))
    if "members" in analysis:
        series["crps"] = np.full(len(truth), np.nan)
        index = _ensemble_index(analysis)
        members = np.moveaxis(_finite(analysis["members"]), 1, 0)
        series["crps"][index] = mean_over(crps_ensemble(members, truth[index]))
    if _has(analysis, "forecast_mean"):
        series["forecast_rmse"] = root_mean_square(_finite(analysis["forecast_mean"]) - truth)
    if _has(analysis, "forecast_spread"):
        series["forecast_spread"] = root_mean_square(_finite(analysis["forecast_spread"]))
    return series


def scores_of_regions(
    analysis: xr.Dataset, truth: np.ndarray, regions: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """RMSE and spread of parts of the state, ``regions`` bool (site,), at every analysis time."""
    error, series = _finite(analysis["mean"]) - truth, {}
    for name, sites in regions.items():
        series[f"rmse_{name}"] = root_mean_square(error[:, sites])
        if _has(analysis, "spread"):
            series[f"spread_{name}"] = root_mean_square(_finite(analysis["spread"])[:, sites])
    return series


def innovation_scores(analysis: xr.Dataset, observations: xr.Dataset, residual: np.ndarray) -> dict[str, np.ndarray]:
    """Scores against the observations of every analysis time; spreads are among them.

    ``residual (time, observation)`` is observation minus analysis.
    """
    valid = observations["valid"].values.astype(bool)
    series = {"residual_rmse": root_mean_square(residual, valid)}
    for name in ("spread", "forecast_spread"):
        if _has(analysis, name):
            series[name] = root_mean_square(_finite(analysis[name]))
    if not _has(analysis, "innovation"):
        return series
    innovation = _finite(analysis["innovation"])
    series["innovation_rmse"] = root_mean_square(innovation, valid)
    series["innovation_bias"] = mean_over(innovation, valid)
    series |= desroziers(innovation, residual, valid)
    if _has(analysis, "innovation_std"):
        std = _finite(analysis["innovation_std"])
        standardised = np.divide(innovation, std, out=np.full(std.shape, np.nan), where=std > 0)
        series["innovation_spread"] = root_mean_square(std, valid)
        series["innovation_chi_square"] = mean_over(standardised**2, valid)
        series["innovation_crps"] = mean_over(crps_gaussian(innovation, std, np.zeros_like(std)), valid)
        log_score = log_score_gaussian(innovation, _above_zero(std), np.zeros_like(std))
        series["innovation_log_score"] = mean_over(log_score, valid)
    return series


def withheld_scores(analysis: xr.Dataset, withheld: xr.Dataset) -> dict[str, np.ndarray]:
    """Scores against values that were kept from the analysis, at every analysis time; of each field too, if several.

    What the analysis predicts of such a value is normal, with its mean and the variances of analysis and observation.
    """
    geometry, sites = geometry_in(analysis), withheld["site_index"].values
    residual = observation_minus(analysis["mean"], withheld)
    valid = withheld["valid"].values.astype(bool)
    several = len(geometry.fields) > 1
    scale = _scales(analysis, geometry)[sites] if several else np.ones(sites.shape)
    series = {
        "withheld_rmse": root_mean_square(residual / scale, valid),
        "withheld_bias": mean_over(residual / scale, valid),
    }
    if several:
        for name, where in geometry.slices.items():
            here = valid & (sites >= where.start) & (sites < where.stop)
            series[f"withheld_rmse_{name}"] = root_mean_square(residual, here)
    if _has(analysis, "spread"):
        spread = np.take_along_axis(_finite(analysis["spread"]), sites.astype(int), axis=1)
        std = np.sqrt(spread**2 + np.nan_to_num(withheld["error_std"].values.astype(float)) ** 2)
        standardised = np.divide(residual, std, out=np.full(std.shape, np.nan), where=std > 0)
        series["withheld_spread"] = root_mean_square(std / scale, valid)
        series["withheld_chi_square"] = mean_over(standardised**2, valid)
        series["withheld_crps"] = mean_over(crps_gaussian(residual / scale, std / scale, np.zeros_like(std)), valid)
    return series


def calibrated(analysis: xr.Dataset, error: str, spread: str, test: np.ndarray) -> SpreadSkill | None:
    """Error against predicted spread over the times ``test``; None if one is missing, or there are too few cases."""
    if not (_has(analysis, error) and _has(analysis, spread)):
        return None
    errors, spreads = (_finite(analysis[name][test]) for name in (error, spread))
    if np.isfinite(errors + spreads).sum() < SPREAD_BINS:
        return None
    return spread_skill(spreads, errors, SPREAD_BINS)


def observation_minus(states: xr.DataArray, observations: xr.Dataset) -> np.ndarray:
    """Observed value minus that of ``states (time, site)``, (time, observation); padding is no number.

    Of an ensemble mean x this is y - h(x), while the innovations of ensemble methods are y minus the mean of h.
    """
    operator = operator_of(observations, geometry_of({**observations.attrs, "size": states.sizes["site"]}))
    return observations["value"].values - observed_values(_finite(states), rows_of(observations), operator)


def summary(series: dict[str, np.ndarray], test: np.ndarray, whole: bool) -> dict[str, tuple[float, float, float]]:
    """Mean, its uncertainty and the median of every score over the times ``test``; NaN unless the run is ``whole``."""
    nothing = (float("nan"),) * 3
    if not whole:
        return dict.fromkeys([*series, *(["rmse_pooled"] if "rmse" in series else [])], nothing)
    result = {}
    for name, values in series.items():
        chosen = values[test]
        chosen = chosen[~np.isnan(chosen)]
        result[name] = (*mean_and_uncertainty(chosen), float(np.median(chosen))) if chosen.size else nothing
    if "rmse" in series:
        square, uncertainty = mean_and_uncertainty(series["rmse"][test] ** 2)
        pooled = float(np.sqrt(square))
        result["rmse_pooled"] = (pooled, uncertainty / (2 * pooled) if pooled != 0 else 0.0, float("nan"))
    return result


def thinning(fields: np.ndarray, axis: int) -> int:
    """First distance along ``axis`` at which the autocorrelation of ``fields`` is below 0.1: a stride for thinning."""
    anomalies = np.moveaxis(fields - fields.mean(), axis, 0)
    variance = (anomalies**2).mean()
    for distance in range(1, len(anomalies)):
        if (anomalies[distance:] * anomalies[:-distance]).mean() < 0.1 * variance:
            return distance
    return max(len(anomalies), 1)


def _ranks_of_truth(
    analysis: xr.Dataset, truth: np.ndarray, test: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, str] | None:
    """Histogram of the truth among the analysis members of the test period, and what it is."""
    index = _ensemble_index(analysis)
    chosen = test[index]
    if not chosen.any():
        return None
    members = _finite(analysis["members"].isel(ensemble_time=np.flatnonzero(chosen)))
    verifying = truth[index[chosen]]
    error = members.mean(axis=1) - verifying
    in_time, in_space = thinning(error, 0), thinning(error, 1)
    members = np.moveaxis(members, 1, 0)[:, ::in_time, ::in_space]
    counts = rank_histogram(members, verifying[::in_time, ::in_space], rng)
    return counts, f"rank of the truth among the analysis members, every {in_time} saved times and {in_space} sites"


def _ranks_of_observations(
    analysis: xr.Dataset, observations: xr.Dataset, test: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, str] | None:
    """Histogram of the observations among the perturbed forecast members of the test period, and what it is."""
    index = _ensemble_index(analysis)
    chosen = test[index]
    members = _finite(analysis["forecast_members"].isel(ensemble_time=np.flatnonzero(chosen)))
    there = observations.isel(time=index[chosen])
    times, columns = np.nonzero(there["valid"].values)
    if times.size == 0:
        return None
    operator = operator_of(there, geometry_of({**observations.attrs, "size": members.shape[2]}))
    cases = observed_values(members, rows_of(there)[:, None], operator)[times, :, columns].T
    cases = cases + rng.standard_normal(cases.shape) * there["error_std"].values[times, columns]
    counts = rank_histogram(cases, there["value"].values[times, columns], rng)
    return counts, "rank of the observations among the perturbed forecast members"


def _ensemble_index(analysis: xr.Dataset) -> np.ndarray:
    """Index into the analysis times of every time at which members are kept."""
    index = indices_at(analysis["time"].values, analysis["ensemble_time"].values)
    if (index < 0).any():
        raise FileError("the analysis keeps members at times that are not analysis times")
    return index


def _truth_at(truth: xr.Dataset, times: np.ndarray, size: int) -> np.ndarray:
    state = at_times(truth, times, "truth")["state"].values.astype(float)
    if state.shape[1] != size:
        raise FileError(f"the truth has {state.shape[1]} sites and the analysis {size}")
    return state


def _status(analysis: xr.Dataset, test: np.ndarray) -> dict[str, str | float]:
    """The status of the analysis, and "diverged" too where its mean is not finite in the test period."""
    status = {name: analysis.attrs[name] for name in ("status", "diverged_at", "reason") if name in analysis.attrs}
    broken = test & ~np.isfinite(analysis["mean"].values).all(axis=1)
    if status.setdefault("status", "ok") != "diverged" and broken.any():
        first = float(analysis["time"].values[np.argmax(broken)])
        return {"status": "diverged", "diverged_at": first, "reason": "the analysis mean is not finite"}
    return status


def _has(analysis: xr.Dataset, name: str) -> bool:
    """Whether there are numbers under ``name``: a method without forecasts leaves its variables empty."""
    return name in analysis and bool(np.isfinite(analysis[name].values).any())


def _finite(array: xr.DataArray) -> np.ndarray:
    """Values in float64 with NaN for everything that is not finite."""
    values = array.values.astype(float)
    return np.where(np.isfinite(values), values, np.nan)


def _above_zero(spread: np.ndarray) -> np.ndarray:
    """NaN where there is no spread: the log score of certainty is infinite."""
    return np.where(spread > 0, spread, np.nan)


def _binned(found: SpreadSkill, truth: xr.Dataset | None) -> dict[str, xr.Variable]:
    """The variables of :func:`calibrated`."""
    of = "the analysis" if truth is not None else "the innovations"
    texts = (f"root mean square of the predicted spread of {of}", f"root mean square error of {of}", "number of cases")
    names = ("binned_spread", "binned_error", "binned_cases")
    return {
        name: xr.Variable("bin", values, {"units": "1", "long_name": f"{text} in bins of rising spread"})
        for name, values, text in zip(names, found, texts, strict=True)
    }


def _long_name(name: str, geometry: Geometry) -> str:
    """What a series is, of all fields together, of one, or of a region."""
    if name in LONG_NAMES:
        return LONG_NAMES[name]
    field = next((f for f in geometry.names if name.endswith(f"_{f}")), None)
    if field is None:
        score, _, region = name.partition("_")
        return f"{LONG_NAMES[score]}, of the region {region}"
    return f"{LONG_NAMES[name.removesuffix(f'_{field}')]}, of the field {field}"


def _dataset(
    analysis: xr.Dataset,
    series: dict[str, np.ndarray],
    summaries: dict[str, tuple[float, float, float]],
    histogram: tuple[np.ndarray, str] | None,
    status: dict[str, str | float],
) -> xr.Dataset:
    """The scores as a file."""
    units = analysis["mean"].attrs.get("units", "1")
    geometry = geometry_in(analysis)
    dataset = xr.Dataset(coords={"time": analysis["time"].variable, "period": analysis["period"].variable})
    for name, values in series.items():
        own = "1" if name in WITHOUT_UNITS or units == "1" else f"{units}2" if name in SQUARED else units
        dataset[name] = ("time", values, {"units": own, "long_name": _long_name(name, geometry)})
    dataset.coords["score"] = ("score", list(summaries), {"units": "1", "long_name": "name of the score"})
    for column, name in enumerate(("mean", "uncertainty", "median")):
        long_name = {"uncertainty": "standard error of the mean, aware of autocorrelation"}.get(name, name)
        attributes = {"units": "as the score", "long_name": f"{long_name} over the test period"}
        dataset[name] = ("score", np.array([values[column] for values in summaries.values()]), attributes)
    facts: dict[str, Any] = {"convention": CONVENTION + (OF_FIELDS if len(geometry.fields) > 1 else ""), **status}
    facts |= {
        name: analysis.attrs[name] for name in ("method", "model_kind", "lost_fraction") if name in analysis.attrs
    }
    if histogram is not None:
        counts, what = histogram
        dataset["rank_histogram"] = ("rank", counts.astype(np.int64), {"units": "1", "long_name": what})
        dataset.coords["rank"] = ("rank", np.arange(counts.size), {"units": "1", "long_name": "members below"})
        chi_square, p_value = flatness(counts)
        facts |= {"rank_chi_square": chi_square, "rank_p_value": p_value}
    clock = clock_of(analysis.attrs)
    return dataset.assign_coords(clock.coordinates(dataset["time"].values)).assign_attrs(facts | clock.attributes)
