"""A sweep is many runs of `assimilate`, scored, labelled, and the same however they are spread over threads."""

from copy import deepcopy

import numpy as np
import pytest
import xarray as xr
from twins import climatology_file, lorenz96_climatology

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.background.climatology import FullBackground
from assimilearn.assimilation.background.independent import IndependentBackground
from assimilearn.assimilation.twin import Twin, TwinSettings, simulate_twin
from assimilearn.errors import SettingsError
from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.geometry import ring
from assimilearn.models.regions import Region, masks
from assimilearn.models.truth import TruthSettings
from assimilearn.observations.networks import AllSites
from assimilearn.observations.observe import ObservationSettings
from assimilearn.tuning.halving import SweepBudget, lengths
from assimilearn.tuning.sweep import sweep
from assimilearn.tuning.workers import DaskAddress
from assimilearn.verification import score_analysis

MODEL = Lorenz96(Lorenz96Settings(size=12))
OVER = {"inflation": [1.02, 1.1], "members": [8, 10, 12]}
LENGTH = TwinSettings(steps=300, burn_in=100)


@pytest.fixture(scope="module")
def climate():
    return lorenz96_climatology(12)


def twins(realizations=2, length=LENGTH, **observing):
    for r in range(realizations):
        rngs = [np.random.default_rng([stage, r]) for stage in range(3)]
        yield simulate_twin(MODEL, length, TruthSettings(), ObservationSettings(network=AllSites(), **observing), *rngs)


def etkf_sweep(climate, **options):
    return sweep(twins(), MODEL, METHODS["etkf"](), OVER, climate, **options)


@pytest.fixture(scope="module")
def scores(climate):
    return etkf_sweep(climate)


def test_scores_are_labelled_by_settings_and_realization(scores):
    assert scores["rmse"].dims == ("inflation", "members", "realization")
    assert scores["rmse"].shape == (2, 3, 2)
    assert scores["rmse_median"].dims == ("inflation", "members")
    chosen = scores["rmse"].sel(inflation=1.1, members=8)
    assert float(scores["rmse_median"].sel(inflation=1.1, members=8)) == pytest.approx(float(chosen.median()))
    assert float(scores["rmse_mean"].sel(inflation=1.1, members=8)) == pytest.approx(float(chosen.mean()))


def test_every_entry_is_the_score_of_that_run_alone(scores, climate):
    for twin, realization in zip(twins(), scores["realization"].values, strict=True):
        settings = METHODS["etkf"](inflation=1.02, members=12)
        analysis = assimilate(twin.observations, MODEL, settings, climate, deepcopy(twin.rng))
        error = (analysis["mean"] - twin.truth["state"].values).values[LENGTH.burn_in :].astype(float)
        here = scores.sel(inflation=1.02, members=12, realization=realization)
        assert float(here["rmse"]) == pytest.approx(np.sqrt((error**2).mean(axis=1)).mean(), rel=1e-6)
        assert float(here["rmse_pooled"]) == pytest.approx(np.sqrt((error**2).mean()), rel=1e-6)
        assert float(here["rmse"]) <= float(here["rmse_pooled"])


@pytest.mark.parametrize("method", ["etkf", "letkf", "enks", "ekf"])
def test_a_start_beside_the_truth_has_the_errors_that_it_states(climate, method):
    """At the first time the observations, with errors of 1, tell little more than the start."""
    length = TwinSettings(steps=2, burn_in=0, start_std=0.02)
    ensemble = {} if method == "ekf" else {"members": 20}
    scores = sweep(twins(20, length), MODEL, METHODS[method](**ensemble), {}, climate)
    assert float(scores["rmse_mean"]) == pytest.approx(0.02, rel=0.2)


def test_parts_of_the_state_have_an_rmse_of_their_own(climate):
    """Half of the sites are observed; a region is cut out by its coordinates. The squares of parts add up."""
    length = TwinSettings(steps=80, burn_in=30)
    [twin] = [
        simulate_twin(
            *(MODEL, length, TruthSettings(), ObservationSettings(network={"method": "every", "stride": 2})),
            *(np.random.default_rng([stage, 5]) for stage in range(3)),
        )
    ]
    regions = {"land": Region(within={"x": (3, 5)})}
    settings = METHODS["blue"]()
    scores = sweep([twin], MODEL, settings, {}, climate, regions=regions).isel(realization=0)
    analysis = assimilate(twin.observations, MODEL, settings, climate, deepcopy(twin.rng))
    error = (analysis["mean"].values - twin.truth["state"].values)[30:].astype(float)
    for name, sites in (("observed", slice(0, None, 2)), ("unobserved", slice(1, None, 2)), ("land", slice(3, 6))):
        expected = np.sqrt((error[:, sites] ** 2).mean(axis=1)).mean()
        assert float(scores[f"rmse_{name}"]) == pytest.approx(expected, rel=1e-6)
    analysis = analysis.isel(time=slice(30, None))
    of_analysis = score_analysis(analysis, twin.observations, twin.truth, np.random.default_rng(0), regions=regions)
    assert float(of_analysis["rmse_land"].mean()) == pytest.approx(float(scores["rmse_land"]), rel=1e-6)
    assert of_analysis["rmse_land"].attrs["long_name"] == "spatial RMSE of the analysis mean, of the region land"


@pytest.mark.parametrize(
    ("region", "name", "message"),
    [
        ({"fields": ["y"]}, "land", "regions.land: there is no field 'y'; there are x"),
        ({"within": {"z": (0, 1)}}, "land", "regions.land: there is no axis 'z'; there are x"),
        ({"within": {"x": (50, 60)}}, "land", "regions.land: no site belongs to it"),
        ({"within": {"x": (0, 1)}}, "observed", "regions.observed: rmse_observed is another score"),
    ],
)
def test_a_region_that_is_no_part_of_the_state_is_refused(region, name, message):
    with pytest.raises(SettingsError, match=message):
        masks({name: Region(**region)}, ring(12))


def test_an_analysis_that_begins_beside_the_truth_is_that_of_the_sweep(climate):
    length = TwinSettings(steps=30, burn_in=0, start_std=0.02)
    twin, settings = next(twins(1, length)), METHODS["etkf"](members=20)
    analysis = assimilate(twin.observations, MODEL, settings, climate, deepcopy(twin.rng), start=twin.start)
    rmse = np.sqrt(((analysis["mean"] - twin.truth["state"].values) ** 2).mean("site")).mean()
    scores = sweep(twins(1, length), MODEL, settings, {}, climate)
    assert float(scores["rmse"][0]) == pytest.approx(float(rmse), rel=1e-6)
    assert float(scores["rmse"][0]) < 0.2


def test_a_diagonal_background_is_the_full_one_of_the_same_numbers():
    """Two of the observations are of one site."""
    rng = np.random.default_rng(0)
    mean, variance = rng.standard_normal(6), rng.uniform(0.5, 2.0, 6)
    one = IndependentBackground(mean, variance)
    other = FullBackground(mean, np.diag(variance), np.empty(0), np.empty(0))
    sites, r, d = np.array([1, 4, 4]), np.array([0.3, 1.0, 2.0]), rng.standard_normal((2, 3))
    for found, expected in zip(one.analysis(d, r, sites), other.analysis(d, r, sites), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(one.increments(d, r, sites), other.increments(d, r, sites), atol=1e-12)
    np.testing.assert_array_equal(one.covariance, other.covariance)
    np.testing.assert_allclose(
        one.draw(3, np.random.default_rng(1)), other.draw(3, np.random.default_rng(1)), rtol=1e-8
    )


def test_the_number_of_threads_changes_nothing(scores, climate):
    xr.testing.assert_identical(etkf_sweep(climate, workers=3), scores)


class InPython:
    """The same model with its step in Python alone, as most models of users have it."""

    size, time_step, geometry, compiled, step = MODEL.size, MODEL.time_step, MODEL.geometry, None, MODEL.step


def test_a_model_in_python_has_the_same_scores_on_any_number_of_threads(scores, climate):
    one, three = (sweep(twins(), InPython(), METHODS["etkf"](), OVER, climate, workers=n) for n in (1, 3))
    xr.testing.assert_identical(one, three)
    xr.testing.assert_identical(one, scores)  # its step is the compiled one


@pytest.mark.slow
def test_a_sweep_of_64_experiments_on_a_dask_cluster_of_two_workers_has_the_bytes_of_threads(climate):
    from dask.distributed import LocalCluster

    over = {"inflation": [1.0, 1.02, 1.04, 1.06, 1.08, 1.1, 1.15, 1.2], "members": [6, 8]}
    given = MODEL, METHODS["etkf"](), over, climate
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True) as cluster:
        there = sweep(twins(4), *given, kind=DaskAddress(dask=cluster.scheduler_address))
    assert there["rmse"].size == 64
    assert there.identical(sweep(twins(4), *given, workers=2))


def test_without_values_there_is_one_experiment_for_each_realization(climate):
    scores = sweep(twins(3), MODEL, METHODS["blue"](), {}, climate)
    assert scores["rmse"].dims == ("realization",)
    assert scores["rmse_median"].ndim == 0


def test_a_longer_twin_begins_with_the_shorter_one():
    short, long = next(twins(1)), next(twins(1, TwinSettings(steps=400, burn_in=100)))
    np.testing.assert_array_equal(short.truth["state"], long.truth["state"][:300])
    np.testing.assert_array_equal(short.observations["value"], long.observations["value"][:300])


def test_a_diverged_run_is_flagged_and_never_averaged_away(climate):
    def poisoned():
        for r, (truth, observations, rng, _) in enumerate(twins(3)):
            values = observations["value"].values.copy()
            values[200] += 1e9 * (r == 1)
            yield Twin(truth, observations.assign(value=(("time", "observation"), values)), rng)

    scores = sweep(poisoned(), MODEL, METHODS["etkf"](members=10), {"inflation": [1.05]}, climate)
    np.testing.assert_array_equal(scores["status"].values[0] == 2, [False, True, False])
    assert np.isnan(scores["rmse"].values[0, 1])
    assert np.isnan(scores["rmse_mean"].values[0])
    finite = scores["rmse"].values[0, [0, 2]]
    assert float(scores["rmse_median"][0]) == finite.max()


def test_a_filter_that_loses_the_truth_is_flagged(climate):
    settings = METHODS["etkf"](members=2, inflation=1.0)  # one direction of error cannot follow chaos
    scores = sweep(twins(1, TwinSettings(steps=1000, burn_in=100)), MODEL, settings, {}, climate)
    assert int(scores["status"][0]) == 1
    assert float(scores["lost_fraction"][0]) > 0.5
    assert float(scores["rmse"][0]) > 3


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"inflaton": [1.0]}, "over: etkf has no setting 'inflaton'"),
        ({"members": [10, 1]}, "over: members = 1"),
        ({"members": []}, "members needs values"),
        ({"members": [10, 10]}, "members needs values, each once"),
        ({"keep_members": ["all"]}, "no setting 'keep_members'"),
    ],
)
def test_bad_values_are_one_error_before_anything_runs(climate, over, message):
    def never():
        raise AssertionError("a twin was simulated")
        yield

    with pytest.raises(SettingsError, match=message):
        sweep(never(), MODEL, METHODS["etkf"](), over, climate)


def test_no_realization_is_an_error(climate):
    with pytest.raises(SettingsError, match="one realization or more"):
        sweep([], MODEL, METHODS["blue"](), {}, climate)


def test_a_burn_in_as_long_as_the_run_is_refused():
    with pytest.raises(ValueError, match="burn_in"):
        TwinSettings(steps=10, burn_in=10)


def test_a_setting_may_be_absent_or_a_name(climate):
    scores = sweep(twins(1), MODEL, METHODS["letkf"](members=6), {"taper": ["boxcar", "gaussian"]}, climate)
    assert list(scores["taper"].values) == ["boxcar", "gaussian"]
    scores = sweep(twins(1), MODEL, METHODS["etkf"](members=10), {"model_error": [None, 0.1]}, climate)
    assert np.isnan(scores["model_error"].values[0])


def test_a_climatology_file_of_another_size_is_refused():
    with pytest.raises(SettingsError, match="sites"):
        sweep(twins(), MODEL, METHODS["blue"](), {}, climatology_file(np.zeros(3), np.eye(3)))


def test_halving_spends_few_cycles_and_chooses_for_each_size_what_all_cycles_choose(climate):
    over = {"members": [8, 20], "inflation": [1.0, 1.05, 1.2, 1.5, 2.0, 3.0]}
    full = sweep(twins(2), MODEL, METHODS["etkf"](rotation=True), over, climate)
    budget = SweepBudget(smallest=75, factor=4)
    halved = sweep(twins(2), MODEL, METHODS["etkf"](rotation=True), over, climate, budget=budget, by=["members"])
    assert halved.attrs["cycle_share"] == pytest.approx((6 * 75 + 2 * 300) / (6 * 300))
    there = np.isfinite(halved["rmse_median"].values)
    assert there.sum(axis=1).tolist() == [2, 2]
    np.testing.assert_array_equal(halved["rmse"].values[there], full["rmse"].values[there])
    assert (halved["status"].values[~there] == 3).all()
    best = np.nanmin(full["rmse_median"].values, axis=1)
    assert np.nanmin(halved["rmse_median"].values, axis=1) == pytest.approx(best, rel=0.25)


def test_lengths_grow_by_the_factor_up_to_the_whole():
    assert lengths(SweepBudget(smallest=60, factor=4), 1001) == [63, 250, 1001]
    assert lengths(SweepBudget(smallest=1000, factor=4), 1001) == [1001]
