"""Models with chance in their steps, with memory, and with errors that depend on the state, against closed forms."""

from dataclasses import dataclass

import numpy as np
import pytest
from numba import njit
from scipy.linalg import solve_discrete_lyapunov
from twins import climatology_file, linear_model, observe_states

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.cycling.filtering import ensemble_filter, run_filter
from assimilearn.assimilation.methods.etkf import etkf_update
from assimilearn.assimilation.problem import pose
from assimilearn.assimilation.settings import MemberSettings
from assimilearn.errors import SettingsError
from assimilearn.models import CompiledStep, Lorenz96, Lorenz96Settings
from assimilearn.models.geometry import ring
from assimilearn.models.integrate import advance, trajectory
from assimilearn.models.lyapunov import lyapunov_exponents
from assimilearn.models.protocol import with_memory
from assimilearn.verification.runs import runs

RNG = np.random.default_rng
A, PHI, S = 0.6, 0.8, 0.5  # x' = A x + z, z' = PHI z + S e at every site
F = np.kron([[A, 1.0], [0.0, PHI]], np.eye(2))
Q = np.diag([0.0, 0.0, S**2, S**2])
STATIONARY = solve_discrete_lyapunov(F, Q)
CLIMATE = climatology_file(np.zeros(2), STATIONARY[:2, :2])


@njit
def closure_step(E, parameters):
    for j in range(E.shape[0]):
        for i in range(2):
            E[j, i] = parameters[0] * E[j, i] + E[j, 2 + i]
            E[j, 2 + i] = parameters[1] * E[j, 2 + i] + parameters[2] * E[j, 4 + i]


@dataclass(frozen=True)
class Closure:
    """Two sites that do not see each other, driven by unresolved ones: processes of first order, one a site."""

    with_kernel: bool = True
    size, memory, draws, time_step, geometry = 2, 2, 2, 0.1, ring(2)

    @property
    def compiled(self):
        return CompiledStep(closure_step, np.array([A, PHI, S])) if self.with_kernel else None

    def begin(self, states):
        return np.concatenate([states, np.zeros_like(states)], axis=-1)

    def step(self, states, noise=None):
        x, z = states[..., :2], states[..., 2:]
        return np.concatenate([A * x + z, PHI * z + S * (np.zeros_like(z) if noise is None else noise)], axis=-1)


@dataclass(frozen=True)
class Uncertain:
    """x' = 0.7 x at every site, with an error of variance 0.3 + 0.2 x^2."""

    size, time_step, compiled, geometry = 4, 0.1, None, ring(4)

    def step(self, states):
        return 0.7 * states

    def error_std(self, states):
        return np.sqrt(0.3 + 0.2 * states**2)


@dataclass(frozen=True)
class WithSilentMemory:
    """Lorenz-96 whose members remember a mean of the sites, which acts on nothing."""

    memory: int = 3
    physics = Lorenz96(Lorenz96Settings(size=12))
    size, time_step, geometry, compiled = 12, physics.time_step, physics.geometry, None

    def begin(self, states):
        return np.concatenate([states, states[..., : self.memory]], axis=-1)

    def step(self, states):
        x, z = self.physics.step(states[..., :12]), states[..., 12:]
        return np.concatenate([x, 0.9 * z + 0.1 * x.mean(axis=-1, keepdims=True)], axis=-1)


def observations(times=400, sites=(0,), error_std=0.4, n=2):
    return observe_states(np.zeros((times, n)), 0.1, error_std, RNG(5), list(sites))


@pytest.mark.parametrize("compiled", [True, False])
def test_a_free_ensemble_has_the_stationary_covariance(compiled):
    model = Closure(compiled)
    E = advance(model, with_memory(model, np.zeros((40_000, 2))), 60, RNG(0))
    np.testing.assert_allclose(np.cov(E.T), STATIONARY, atol=0.03)


def test_compiled_and_interpreted_steps_draw_the_same():
    paths = [trajectory(Closure(c), with_memory(Closure(c), np.ones(2)), 120, RNG(0)) for c in (True, False)]
    np.testing.assert_allclose(*paths, rtol=1e-12, atol=1e-12)
    blocks = [Closure().begin(np.ones(2))]
    rng = RNG(0)
    for steps in (50, 70):
        blocks.append(trajectory(Closure(), blocks[-1], steps, rng)[-1])
    np.testing.assert_array_equal(blocks[-1], paths[0][-1])


@pytest.mark.parametrize("name", ["etkf", "enkf", "enrts", "enks"])
def test_global_filters_are_the_kalman_filter_of_the_augmented_state(name):
    H, R, P = np.eye(4)[:1], 0.16, STATIONARY.copy()
    for _ in range(100):
        P = F @ P @ F.T + Q
        forecast = P
        P = P - P @ H.T @ np.linalg.solve(H @ P @ H.T + R, H @ P)
    settings = METHODS[name](members=400, inflation=1.0)
    analysis = assimilate(observations(), Closure(), settings, CLIMATE, RNG(1))
    spread = np.sqrt((analysis["forecast_spread"].values[50:] ** 2).mean(axis=0))
    np.testing.assert_allclose(spread, np.sqrt(np.diag(forecast)[:2]), rtol=0.03)


@pytest.mark.parametrize("name", ["letkf", "eakf"])
def test_local_filters_carry_the_memory_and_leave_it(name):
    everywhere = METHODS[name](members=50, inflation=1.0, localization_radius=0.01)
    seen = observations(sites=(0,), error_std=1e-3)
    analysis = assimilate(seen, Closure(), everywhere, CLIMATE, RNG(1))
    unseen = np.sqrt((analysis["forecast_spread"].values[50:, 1] ** 2).mean())
    assert unseen == pytest.approx(np.sqrt(STATIONARY[1, 1]), rel=0.05)
    known = np.sqrt((analysis["forecast_spread"].values[50:, 0] ** 2).mean())  # x is known: what is left is that of z
    assert known == pytest.approx(np.sqrt(S**2 / (1 - PHI**2)), rel=0.05)


INFLATED = {"rotation": True, "inflation": 1.1, "relaxation_to_prior_spread": 0.2, "model_error": 0.1}


CARRYING = [name for name, of in METHODS.items() if of.models_with_memory and issubclass(of, MemberSettings)]


@pytest.mark.parametrize("name", CARRYING)
def test_a_memory_that_acts_on_nothing_changes_no_bit_of_the_sites(name):
    settings, physics = METHODS[name], WithSilentMemory.physics
    fields = settings.model_fields
    allowed = {key: value for key, value in INFLATED.items() if key in fields and (key, name) != ("rotation", "enrts")}
    given = settings(members=8, keep_members="all", **allowed)
    truth = trajectory(physics, 2 + RNG(0).standard_normal(12), 25, None)
    seen = observe_states(truth, physics.time_step, 1.0, RNG(1), list(range(0, 12, 2)))
    climate = climatology_file(np.full(12, 2.0), 9 * np.eye(12))
    plain, remembering = (assimilate(seen, WithSilentMemory(m), given, climate, RNG(0)) for m in (0, 3))
    assert plain.attrs["status"] != "diverged"
    for variable in plain:
        np.testing.assert_array_equal(plain[variable], remembering[variable])


def test_numbers_do_not_depend_on_how_many_are_drawn_at_once_nor_on_the_cycle():
    problem = pose(observations(60), Closure(), CLIMATE)
    settings = METHODS["etkf"](members=6)
    records = [run_filter(problem, ensemble_filter(etkf_update, settings), settings, RNG(2), n) for n in (10**6, 50)]
    np.testing.assert_array_equal(records[0].mean, records[1].mean)
    interpreted = assimilate(observations(60), Closure(False), settings, CLIMATE, RNG(2))
    compiled = assimilate(observations(60), Closure(), settings, CLIMATE, RNG(2))
    np.testing.assert_allclose(interpreted["mean"], compiled["mean"], atol=1e-5)


EXACT = {"inflation": 1.0}


@pytest.mark.parametrize(("name", "more"), [("etkf", EXACT), ("enks", EXACT), ("particle", {})])
def test_an_error_that_depends_on_the_state_gives_the_stationary_variance(name, more):
    exact = 0.3 / (1 - 0.7**2 - 0.2)
    blind = observations(300, error_std=1e3, n=4)
    settings = METHODS[name](members=300, model_error="by_state", **more)
    analysis = assimilate(blind, Uncertain(), settings, climatology_file(np.zeros(4), exact * np.eye(4)), RNG(0))
    times = slice(30, 280)  # the last analyses of a smoother are those of its last forecasts
    assert (analysis["forecast_spread"].values[times] ** 2).mean() == pytest.approx(exact, rel=0.03)
    half = settings.model_copy(update={"model_error_scale": 0.5})
    analysis = assimilate(blind, Uncertain(), half, climatology_file(np.zeros(4), exact * np.eye(4)), RNG(0))
    halved = 0.3 / 4 / (1 - 0.7**2 - 0.2 / 4)
    assert (analysis["forecast_spread"].values[times] ** 2).mean() == pytest.approx(halved, rel=0.03)


def test_methods_of_one_state_and_models_that_say_nothing_are_refused():
    for name in ("4dvar", "ekf", "3dvar", "ienks"):
        with pytest.raises(SettingsError, match="chance in its steps"):
            assimilate(observations(), Closure(), METHODS[name](), CLIMATE, RNG(0))
    model, climate = linear_model(), climatology_file(np.zeros(4), np.eye(4))
    with pytest.raises(SettingsError, match="says how wrong it is"):
        assimilate(observations(n=4), model, METHODS["etkf"](model_error="by_state"), climate, RNG(0))
    climate = climatology_file(np.zeros(12), np.eye(12))
    for name in ("score-filter", "4dvar", "ienks"):
        with pytest.raises(SettingsError, match="memory"):
            assimilate(observations(n=12), WithSilentMemory(), METHODS[name](), climate, RNG(0))
    blue = assimilate(observations(), Closure(), METHODS["blue"](), CLIMATE, RNG(0))
    assert blue.attrs["status"] == "ok"


def test_exponents_and_runs_see_the_sites_and_carry_the_rest():
    exponents = lyapunov_exponents(Closure(), 10.0, RNG(0), count=4)
    np.testing.assert_allclose(exponents, np.log([PHI, PHI, A, A]) / 0.1, atol=0.05)
    states = np.stack(list(runs(Closure(), np.zeros((20_000, 2)), 60, np.zeros(2), 10.0, RNG(0))))
    assert states.shape == (61, 20_000, 2)
    np.testing.assert_allclose(np.cov(states[-1].T), STATIONARY[:2, :2], atol=0.05)
