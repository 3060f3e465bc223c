"""The polynomial tendency: its family, its step, its regression."""

from math import comb

import numpy as np
import pytest
from observed_twins import analysis_of, lorenz96_coefficients, nature_run

from assimilearn.emulators import open_emulator, train
from assimilearn.emulators.classical.polynomial import (
    CORRECTIONS,
    NONE,
    PolynomialSettings,
    features,
    half_difference,
    monomials,
    names,
    polynomial_step,
    regress,
    step_parameters,
    table_of,
)
from assimilearn.errors import SettingsError
from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.integrate import spun_up_state, trajectory
from assimilearn.periods import Periods, period_flags


def numpy_tendency(x: np.ndarray, coefficients: np.ndarray, settings: PolynomialSettings) -> np.ndarray:
    """The tendency of one state, site by site and factor by factor."""
    result = np.zeros_like(x)
    for i in range(x.size):
        for weight, row in zip(coefficients, monomials(settings.radius, settings.degree), strict=True):
            factors = [x[(i + place - settings.radius) % x.size] for place in row if place != NONE]
            result[i] += weight * np.prod(factors)
    return result


def numpy_step(x: np.ndarray, coefficients: np.ndarray, settings: PolynomialSettings) -> np.ndarray:
    """The textbook RK4 over one interval."""
    dt = 1 / settings.substeps
    for _ in range(settings.substeps):
        k1 = numpy_tendency(x, coefficients, settings)
        k2 = numpy_tendency(x + dt / 2 * k1, coefficients, settings)
        k3 = numpy_tendency(x + dt / 2 * k2, coefficients, settings)
        k4 = numpy_tendency(x + dt * k3, coefficients, settings)
        x = x + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return x


def triples_of(time_step: float, count: int = 300) -> np.ndarray:
    """Noise-free triples of Lorenz-96, (triple, 3, site)."""
    model = Lorenz96(Lorenz96Settings(time_step=time_step))
    states = trajectory(model, spun_up_state(model, 20.0, np.random.default_rng(0)), 3 * count)
    return states[: 3 * count].reshape(count, 3, -1)


@pytest.mark.parametrize(("radius", "degree"), [(0, 3), (1, 2), (2, 2), (2, 3), (3, 1)])
def test_the_family_has_all_monomials_up_to_its_degree_once(radius, degree):
    rows = monomials(radius, degree)
    places = 2 * radius + 1
    assert len({tuple(row) for row in rows}) == len(rows) == comb(places + degree, degree)
    assert (rows[0] == NONE).all()


def test_names_say_where_the_factors_stand():
    assert names(1, 2) == [
        "1",
        "x[-1]",
        "x[0]",
        "x[+1]",
        "x[-1] x[-1]",
        "x[-1] x[0]",
        "x[-1] x[+1]",
        "x[0] x[0]",
        "x[0] x[+1]",
        "x[+1] x[+1]",
    ]


def test_features_are_the_monomials():
    rng = np.random.default_rng(0)
    settings = PolynomialSettings(radius=1, degree=3)
    x, coefficients = rng.standard_normal(7), rng.standard_normal(len(settings.factors))
    np.testing.assert_allclose(features(x, settings) @ coefficients, numpy_tendency(x, coefficients, settings))


@pytest.mark.parametrize(
    ("radius", "degree", "substeps"), [(0, 2, 1), (1, 3, 1), (2, 2, 1), (2, 2, 3), (3, 2, 2), (2, 1, 1)]
)
def test_the_compiled_step_is_the_textbook_rk4(radius, degree, substeps):
    rng = np.random.default_rng(1)
    settings = PolynomialSettings(radius=radius, degree=degree, substeps=substeps)
    coefficients = 0.05 * rng.standard_normal(len(settings.factors))
    E = rng.standard_normal((3, 8))
    expected = np.stack([numpy_step(x, coefficients, settings) for x in E])
    polynomial_step(E, step_parameters(coefficients, settings))
    np.testing.assert_allclose(E, expected, rtol=1e-12, atol=1e-12)


def test_with_its_coefficients_the_step_is_that_of_lorenz96():
    settings = PolynomialSettings(radius=3)
    model = Lorenz96(Lorenz96Settings())
    E = nature_run(40, 5, np.random.default_rng(2))
    expected = model.step(E)
    polynomial_step(E, step_parameters(lorenz96_coefficients(settings, 0.05), settings))
    np.testing.assert_allclose(E, expected, rtol=0, atol=1e-13)


def test_noise_free_triples_give_the_coefficients_up_to_the_truncation_of_a_backward_step():
    settings = PolynomialSettings(alpha=0.0)
    errors = []
    for time_step in (0.05, 0.025):
        triples = triples_of(time_step)
        found = regress(triples, np.ones((len(triples), 40)), settings)
        errors.append(np.abs(found / time_step - lorenz96_coefficients(settings)).max())
    assert errors[0] < 5e-3
    assert errors[1] < errors[0] / 8  # fourth order at least; the plain central difference is of second order


def test_corrections_remove_the_truncation_of_the_central_difference():
    settings = PolynomialSettings(alpha=0.0)
    triples = triples_of(0.05)
    X = features(triples[:, 1], settings).reshape(-1, len(settings.factors))
    plain = np.linalg.lstsq(X, ((triples[:, 2] - triples[:, 0]) / 2).ravel())[0] / 0.05
    truth = lorenz96_coefficients(settings)
    corrected = regress(triples, np.ones((len(triples), 40)), settings) / 0.05
    assert np.abs(corrected - truth).max() < np.abs(plain - truth).max() / 20
    assert CORRECTIONS > 1


def test_half_the_difference_of_no_tendency_is_zero():
    settings = PolynomialSettings()
    states = np.random.default_rng(0).standard_normal((4, 9))
    assert not half_difference(states, np.zeros(21), settings).any()


def test_a_wider_stencil_finds_zeros_where_nothing_acts():
    settings = PolynomialSettings(radius=3, alpha=0.0)
    triples = triples_of(0.025)
    found = regress(triples, np.ones((len(triples), 40)), settings) / 0.025
    np.testing.assert_allclose(found, lorenz96_coefficients(settings), rtol=0, atol=2e-3)


def test_the_ridge_keeps_a_constant_analysis_from_breaking_the_regression():
    settings = PolynomialSettings()
    found = regress(np.ones((10, 3, 8)), np.ones((10, 8)), settings)
    assert np.isfinite(found).all() and np.abs(found).max() < 1e-12


def test_an_analysis_whose_monomials_overflow_gives_a_failure_that_says_so():
    periods = Periods(spinup=0, train=20, gap=0, validation=10, test=5)
    mean = 1e160 * np.random.default_rng(0).standard_normal((periods.total, 8))
    with np.errstate(all="ignore"):
        learned = train(
            analysis_of(mean, np.arange(periods.total) * 0.05, period_flags(periods)),
            PolynomialSettings(),
            np.random.default_rng(0),
        )
    assert learned.attrs["status"] == "failed" and "overflow" in learned.attrs["reason"]


def test_trained_like_any_emulator_it_steps_a_ring_of_any_size():
    periods = Periods(spinup=0, train=300, gap=10, validation=100, test=10)
    states = nature_run(40, periods.total, np.random.default_rng(3))
    analysis = analysis_of(states, np.arange(periods.total) * 0.05, period_flags(periods))
    learned = train(analysis, PolynomialSettings(), np.random.default_rng(0))
    emulator = open_emulator(learned)
    assert emulator.time_step == pytest.approx(0.05)
    assert emulator.residual_std < 5e-3
    other = nature_run(24, 2, np.random.default_rng(4))
    np.testing.assert_allclose(emulator.on_ring(24).step(other[0]), other[1], atol=0.02)


def test_a_stencil_wider_than_the_ring_is_refused():
    periods = Periods(spinup=0, train=20, gap=0, validation=10, test=5)
    states = nature_run(6, periods.total, np.random.default_rng(0))
    analysis = analysis_of(states, np.arange(periods.total) * 0.05, period_flags(periods))
    with pytest.raises(SettingsError, match="radius"):
        train(analysis, PolynomialSettings(radius=3), np.random.default_rng(0))


def test_the_table_holds_factors_and_coefficients():
    settings = PolynomialSettings(radius=1, degree=1)
    np.testing.assert_array_equal(table_of(np.arange(4.0), settings)[:, [0, 3]], [[-1, 0], [0, 1], [1, 2], [2, 3]])
