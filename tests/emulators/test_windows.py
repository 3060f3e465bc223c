"""Windows of observations: the algebra of one, the fit to many, and the way from observations to a model."""

from functools import cache

import numpy as np
import pytest
import xarray as xr
from observed_twins import lorenz96_coefficients, nature_run, observed_twin
from pydantic import ValidationError

from assimilearn import store
from assimilearn.assimilation import assimilate
from assimilearn.assimilation.methods.etkf import ETKFSettings
from assimilearn.assimilation.methods.interpolation import InterpolationSettings
from assimilearn.emulators import open_emulator
from assimilearn.emulators.classical.polynomial import PolynomialSettings, polynomial_step, step_parameters, table_of
from assimilearn.emulators.windows.data import batch_of, observed_of
from assimilearn.emulators.windows.error import model_error
from assimilearn.emulators.windows.fit import WindowFit, WindowSettings, fit_windows, worse
from assimilearn.emulators.windows.kernel import eliminate, factorise, fit_block, gram, linearise, misfit, newton_step
from assimilearn.emulators.windows.learn import LearnSettings, learn, smooth
from assimilearn.errors import FileError, SettingsError
from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.models.lyapunov import lyapunov_exponents
from assimilearn.models.truth import TruthSettings, simulate
from assimilearn.observations.observe import ObservationSettings, observe
from assimilearn.periods import TEST, Periods, period_flags

QUICK = WindowSettings(lengths=(4, 8, 12))
FAMILY = PolynomialSettings()
TRUE = lorenz96_coefficients(FAMILY, 0.05)
START = 0.9 * TRUE  # a first guess that is plainly wrong


def fit(observations: xr.Dataset, states: np.ndarray, coefficients: np.ndarray = START, **options) -> WindowFit:
    settings = options.pop("settings", QUICK)
    rng = np.random.default_rng(0)
    return fit_windows(observations, states, coefficients, FAMILY, settings, rng, **options)


def off(coefficients: np.ndarray) -> float:
    """Largest error of the coefficients, per MTU."""
    return float(np.abs(coefficients - TRUE).max() / 0.05)


@cache
def small_fit() -> WindowFit:
    """The fit to the default twin (12 sites, 600 training times), one thread."""
    _, observations, analysis = observed_twin()
    return fit(observations, analysis["mean"].values)


def one_window(radius: int, degree: int, substeps: int, counts: tuple[int, ...] = (3, 0, 5, 1, 4)):
    """A tiny window with unequal numbers of observations and everything that the kernels ask for."""
    rng = np.random.default_rng(0)
    settings = PolynomialSettings(radius=radius, degree=degree, substeps=substeps)
    coefficients = 0.05 * rng.standard_normal(len(settings.factors))
    n, length = 8, len(counts)
    sites = np.argsort(rng.random((length, n)), axis=1)[:, :5].copy()
    observed = (rng.standard_normal((length, 5)), rng.uniform(0.5, 2, (length, 5)), sites, np.array(counts))
    background = (0.3 * rng.standard_normal(n), 2.5)
    return settings, coefficients, 0.5 * rng.standard_normal(n), length, observed, background


def residuals(z: np.ndarray, settings: PolynomialSettings, length: int, observed, background) -> np.ndarray:
    """All terms of the cost of a window whose sum of squares it is, for z = (start, coefficients), by NumPy."""
    value, weight, sites, counts = observed
    n = background[0].size
    E, parameters = z[None, :n].copy(), step_parameters(z[n:], settings)
    terms = [(z[:n] - background[0]) / background[1]]
    for t in range(length):
        if t > 0:
            polynomial_step(E, parameters)
        p = counts[t]
        terms.append((E[0, sites[t, :p]] - value[t, :p]) * weight[t, :p])
    return np.concatenate(terms)


def jacobian(z: np.ndarray, *problem) -> np.ndarray:
    """Central differences of :func:`residuals`, (term, unknown)."""
    steps = 1e-6 * np.eye(z.size)
    return np.column_stack([(residuals(z + h, *problem) - residuals(z - h, *problem)) / 2e-6 for h in steps])


@pytest.mark.parametrize(("radius", "degree", "substeps"), [(0, 2, 1), (1, 3, 1), (2, 2, 1), (2, 2, 2), (3, 2, 1)])
def test_normal_equations_are_those_of_the_finite_difference_jacobian(radius, degree, substeps):
    settings, coefficients, x, length, observed, background = one_window(radius, degree, substeps)
    columns = x.size + coefficients.size
    G = np.empty((columns + 1, columns + 1))
    model = (table_of(coefficients, settings), radius, substeps)
    cost = linearise(x, 0, length, observed, model, background, G)
    z = np.concatenate([x, coefficients])
    r, J = residuals(z, settings, length, observed, background), jacobian(z, settings, length, observed, background)
    upper = np.triu_indices(columns)
    np.testing.assert_allclose(G[:-1, :-1][upper], (J.T @ J)[upper], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(G[:-1, -1], -J.T @ r, rtol=1e-6, atol=1e-6)
    assert cost == pytest.approx(r @ r) == misfit(x, 0, length, observed, model, background)


@pytest.mark.parametrize(("columns", "rows"), [(1, 3), (4, 0), (5, 7), (6, 11)])
def test_gram_is_the_product_of_the_rows_for_odd_and_even_numbers(columns, rows):
    table = np.zeros((columns + columns % 2, rows))
    table[:columns] = np.random.default_rng(0).standard_normal((columns, rows))
    G = np.full((columns, columns), np.nan)
    gram(table, G)
    upper = np.triu_indices(columns)
    np.testing.assert_allclose(G[upper], (table @ table.T)[:columns, :columns][upper], atol=1e-13)


def test_elimination_is_the_schur_complement():
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((30, 10))
    G = rows.T @ rows
    n, A, B, u = 6, G[:6, :6], G[:6, 6:9], G[:6, 9]
    matrix, right, step = np.zeros((3, 3)), np.zeros(3), np.empty(6)
    work = G.copy()
    assert factorise(work, n)
    gain = newton_step(work, n, step)
    eliminate(work, n, matrix, right)
    np.testing.assert_allclose(step, np.linalg.solve(A, u))
    assert gain == pytest.approx(u @ step)
    np.testing.assert_allclose(matrix, G[6:9, 6:9] - B.T @ np.linalg.solve(A, B))
    np.testing.assert_allclose(right, G[6:9, 9] - B.T @ np.linalg.solve(A, u))


def test_a_matrix_that_is_not_positive_definite_has_no_factor():
    assert not factorise(-np.eye(4), 3)


def test_the_step_of_the_coefficients_is_that_of_all_unknowns_together():
    """Two windows: Schur complements added up against the full normal equations of starts and coefficients."""
    settings, coefficients, _, length, observed, (state, std) = one_window(
        1, 2, 1, counts=(5, 4, 5, 5, 3, 5, 5, 5, 5, 5)
    )
    twice = tuple(np.concatenate([a, a[::-1]]) for a in observed)
    starts, M, n = np.array([0, length]), coefficients.size, state.size
    x = 0.3 * np.random.default_rng(3).standard_normal((2, n))
    background = np.stack([state, -state])
    matrix, right, cost, number = np.zeros((M, M)), np.zeros(M), np.empty(2), np.empty(2)
    model = (table_of(coefficients, settings), 1, 1)
    fit_block(
        *(starts, np.array([length]), x.copy(), twice, model, (background, std), (0, 0.0), np.inf),
        *(cost, number, matrix, right),
    )
    assert np.isfinite(cost).all()
    J, r = np.zeros((0, 2 * n + M)), np.zeros(0)
    for w in range(2):
        part = tuple(a[starts[w] : starts[w] + length] for a in twice)
        problem = (settings, length, part, (background[w], std))
        z = np.concatenate([x[w], coefficients])
        local = jacobian(z, *problem)
        wide = np.zeros((local.shape[0], 2 * n + M))
        wide[:, w * n : (w + 1) * n], wide[:, 2 * n :] = local[:, :n], local[:, n:]
        J, r = np.vstack([J, wide]), np.concatenate([r, residuals(z, *problem)])
    together = np.linalg.solve(J.T @ J, -J.T @ r)[2 * n :]
    np.testing.assert_allclose(np.linalg.solve(matrix, right), together, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(number, observed[3].sum())


def test_the_fit_improves_with_every_step_and_ends_near_the_truth():
    result = small_fit()
    for before, after in zip(result.history, result.history[1:], strict=False):
        if before.length == after.length:
            assert after.cost <= before.cost + 1e-9
    assert result.length == 12
    assert result.history[-1].innovation_cost < result.history[0].innovation_cost
    assert off(result.coefficients) < 0.2  # per MTU; the largest standard error is 0.21
    assert off(START) > 0.7


def test_errors_of_the_coefficients_are_what_their_covariance_says():
    ratios = []
    for seed in range(3):
        _, observations, analysis = observed_twin(seed=seed)
        result = fit(observations, analysis["mean"].values)
        error = result.coefficients - TRUE
        ratios.append(error @ np.linalg.solve(result.covariance, error) / error.size)
    assert 0.6 < np.mean(ratios) < 1.6  # chi-square of 3 x 21 degrees of freedom: 1 with a standard deviation of 0.18


def test_a_tight_background_with_errors_biases_the_coefficients():
    _, observations, analysis = observed_twin()
    tight = fit(observations, analysis["mean"].values, settings=QUICK.model_copy(update={"background": 0.03}))
    assert off(tight.coefficients) > 10 * off(small_fit().coefficients)


def test_threads_do_not_change_a_bit():
    _, observations, analysis = observed_twin()
    again = fit(observations, analysis["mean"].values, workers=3)
    np.testing.assert_array_equal(again.coefficients, small_fit().coefficients)
    np.testing.assert_array_equal(again.covariance, small_fit().covariance)
    assert again.residual_std == small_fit().residual_std and again.history == small_fit().history


def test_the_test_period_is_not_looked_at():
    _, observations, analysis = observed_twin()
    spoiled = observations.copy(deep=True)
    spoiled["value"].values[observations["period"].values == 3] = 99.0
    np.testing.assert_array_equal(fit(spoiled, analysis["mean"].values).coefficients, small_fit().coefficients)


def test_turning_the_ring_changes_nothing_but_round_off():
    _, observations, analysis = observed_twin()
    turned = observations.assign(site_index=(observations["site_index"] + 5) % 12)
    result = fit(turned, np.roll(analysis["mean"].values, 5, axis=1))
    np.testing.assert_allclose(result.coefficients, small_fit().coefficients, rtol=0, atol=1e-9)


def test_windows_lie_side_by_side_and_never_bridge_gaps_or_periods():
    _, observations, analysis = observed_twin(train=60, validation=30)
    time = observations["time"].values.copy()
    time[25:] += 0.05  # an observation time is missing
    observations = observations.assign_coords(time=time)
    batch = batch_of(observations, analysis["mean"].values, "train", 10, None)
    np.testing.assert_array_equal(batch.starts, [0, 10, 25, 35, 45])
    np.testing.assert_array_equal(batch.background, analysis["mean"].values[batch.starts])
    np.testing.assert_array_equal(
        batch_of(observations, analysis["mean"].values, "validation", 10, None).starts, [80, 90, 100]
    )


def test_few_windows_are_spread_evenly_and_blind_ones_left_out():
    _, observations, analysis = observed_twin(train=100)
    assert batch_of(observations, analysis["mean"].values, "train", 10, 3).starts.tolist() == [0, 40, 90]
    observations["valid"].values[10:20] = 0
    assert 10 not in batch_of(observations, analysis["mean"].values, "train", 10, None).starts


def test_times_without_observations_are_bridged_by_the_model():
    _, observations, analysis = observed_twin()
    holes = observations.copy(deep=True)
    holes["valid"].values[::3] = 0
    holes["value"].values[::3] = np.nan
    result = fit(holes, analysis["mean"].values)
    assert off(result.coefficients) < 0.3
    assert (observed_of(holes).counts[::3] == 0).all()


def test_windows_that_do_not_fit_are_counted_and_left_out():
    _, observations, analysis = observed_twin()
    spoiled = observations.copy(deep=True)
    spoiled["value"].values[100:104] += 40.0
    result = fit(spoiled, analysis["mean"].values)
    assert result.history[-1].rejected == 1
    assert off(result.coefficients) < 0.2
    assert result.residual_std < 2 * result.residual_resolution


@pytest.mark.parametrize("factor", [0.0, 1e5, -20.0, np.nan])
def test_a_first_guess_that_is_missing_explodes_or_is_no_number_does_not_matter(factor):
    _, observations, analysis = observed_twin()
    result = fit(observations, analysis["mean"].values, coefficients=factor * TRUE)
    np.testing.assert_allclose(result.coefficients, small_fit().coefficients, rtol=0, atol=1e-4)


def test_forecasts_that_get_worse_are_noticed_window_by_window():
    rng = np.random.default_rng(0)
    before = rng.uniform(1, 5, 50)
    assert worse(before + 0.1 + 0.05 * rng.standard_normal(50), before)
    assert not worse(before + 0.05 * rng.standard_normal(50), before)
    assert not worse(np.empty(0), np.empty(0))


def test_no_step_is_taken_that_the_validation_period_contradicts():
    """Validation observations that stand still: what is learned from the training period makes them worse."""
    _, observations, analysis = observed_twin()
    states, still = analysis["mean"].values.copy(), observations.copy(deep=True)
    held_out = observations["period"].values == 2
    states[held_out] = 2.0
    still["value"].values[held_out] = 2.0
    result = fit(still, states, coefficients=0.2 * TRUE)
    assert [line.length for line in result.history] == [4, 8, 12] and result.length == 4
    np.testing.assert_array_equal(result.coefficients, 0.2 * TRUE)


def test_without_a_validation_period_the_fit_goes_to_the_end():
    _, observations, analysis = observed_twin(validation=0)
    result = fit(observations, analysis["mean"].values)
    assert result.length == 12 and np.isnan(result.history[-1].innovation_cost) and result.residual_std >= 0


def test_lengths_that_the_record_does_not_have_are_left_out():
    _, observations, analysis = observed_twin()
    long = QUICK.model_copy(update={"lengths": (4, 8, 12, 700)})
    assert fit(observations, analysis["mean"].values, settings=long).length == 12


def test_model_error_is_found_where_there_is_some_and_not_where_there_is_none():
    found = {}
    for q in (0.0, 0.15, 0.3):
        _, observations, analysis = observed_twin(model_error=q, train=1200)
        found[q] = fit(observations, analysis["mean"].values)
    assert found[0.0].residual_std < 2 * found[0.0].residual_resolution < 0.1
    assert found[0.15].residual_std == pytest.approx(0.15, rel=0.3)
    assert found[0.3].residual_std == pytest.approx(0.3, rel=0.3)


def test_no_response_gives_no_model_error():
    assert np.isnan(model_error(1.0, 1.0, 0.0)).all()


def test_a_training_period_without_a_window_is_refused():
    _, observations, analysis = observed_twin(train=3)
    with pytest.raises(FileError, match="4 successive regular times"):
        fit(observations, analysis["mean"].values)


@pytest.mark.parametrize("lengths", [(), (1, 4), (8, 4), (4, 4)])
def test_lengths_must_rise(lengths):
    with pytest.raises(ValidationError, match="rise"):
        WindowSettings(lengths=lengths)


def test_learning_needs_an_analysis_and_observations_and_gives_an_emulator_file(tmp_path):
    _, observations, analysis = observed_twin(seed=4, error_std=0.3)
    settings = LearnSettings(windows=QUICK)
    learned = learn(analysis, observations, settings, np.random.default_rng(0))
    store.write(learned, tmp_path / "learned.nc")
    emulator = open_emulator(store.read(tmp_path / "learned.nc"))
    truth = nature_run(12, 11, np.random.default_rng(5))
    state = truth[0]
    for _ in range(10):
        state = emulator.step(state)
    assert np.abs(state - truth[10]).max() < 0.5  # half an MTU ahead; the climate varies by 3.6
    assert (learned["coefficient"] - 8).sel(monomial="1").item() == pytest.approx(0, abs=0.2)
    error = np.abs(learned["coefficient"].values - TRUE / 0.05)
    assert error.max() < np.abs(learned["first_guess"].values - TRUE / 0.05).max() / 3
    assert learned["loss"].dims == learned["windows_rejected"].dims == ("epoch",)
    assert learned.attrs["status"] == "ok" and learned.attrs["window_length"] == 12


def test_learning_without_smoothing_takes_the_analysis_as_it_is():
    _, _, analysis = observed_twin(train=50)
    np.testing.assert_array_equal(smooth(analysis, 0.0), analysis["mean"].values)


def test_smoothing_stays_within_a_period():
    _, _, analysis = observed_twin(train=50)
    spoiled = analysis.copy(deep=True)
    spoiled["mean"].values[50:] = 99.0
    np.testing.assert_array_equal(smooth(spoiled, 2.0)[:50], smooth(analysis, 2.0)[:50])
    constant = analysis.assign(mean=analysis["mean"] * 0 + 3.0)
    np.testing.assert_allclose(smooth(constant, 2.0), 3.0)


def test_learning_refuses_what_does_not_belong_together():
    _, observations, analysis = observed_twin(train=50)
    rng = np.random.default_rng(0)
    with pytest.raises(FileError, match="differ in their time"):
        learn(analysis.isel(time=slice(1, None)), observations, LearnSettings(), rng)
    with pytest.raises(FileError, match="diverged"):
        learn(analysis.assign_attrs(status="diverged"), observations, LearnSettings(), rng)
    with pytest.raises(FileError, match="no variable valid"):
        learn(analysis, observations.drop_vars("valid"), LearnSettings(), rng)
    with pytest.raises(SettingsError, match="radius"):
        learn(analysis, observations, LearnSettings(polynomial=PolynomialSettings(radius=6)), rng)


@pytest.mark.slow
def test_at_published_size_the_learned_model_assimilates_like_the_true_one():
    """Brajard et al. (2020): 20 of 40 sites redrawn each step, error_std 1, 40,000 times; median of 3 realizations."""
    model = Lorenz96(Lorenz96Settings())
    climatology_file = climate(model, ClimateSettings(duration=500.0, lyapunov_duration=1.0), np.random.default_rng(99))
    periods = Periods(spinup=100, train=40_000, gap=100, validation=2000, test=2000)
    ratios, exponents = [], []
    for realization in range(3):
        rngs = np.random.default_rng(realization).spawn(4)
        truth = simulate(model, TruthSettings(), np.arange(periods.total) * 0.05, period_flags(periods), rngs[0])
        observations = observe(truth, ObservationSettings(), rngs[1])
        start = assimilate(observations, model, InterpolationSettings(), climatology_file, rngs[2])
        emulator = open_emulator(learn(start, observations, LearnSettings(), rngs[3]))
        test = truth["period"].values == TEST
        rmse = []
        for forecast_model in (emulator, model):
            settings = ETKFSettings(members=30, inflation=1.02)
            analysis = assimilate(observations, forecast_model, settings, climatology_file, np.random.default_rng(7))
            error = analysis["mean"].values[test] - truth["state"].values[test]
            rmse.append(np.sqrt((error**2).mean(axis=1)).mean())
        ratios.append(rmse[0] / rmse[1])
        exponents.append(lyapunov_exponents(emulator, 500.0, np.random.default_rng(8), count=1)[0])
    reference = lyapunov_exponents(model, 500.0, np.random.default_rng(8), count=1)[0]
    assert np.median(ratios) < 1.03
    assert np.abs(np.array(exponents) / reference - 1).max() < 0.03
