"""Published errors of the twin benchmark of Sakov & Oke (2008): Lorenz-96, every site observed every step, R = I."""

import numpy as np
import pytest
from scipy.linalg import expm
from twins import lorenz96_climatology, lorenz96_truth, observe_states

from assimilearn.assimilation import METHODS, assimilate

CYCLES, SPINUP, REALIZATIONS = 4000, 400, 3

# method, settings, rmse.a; rows of DAPPER 1.8 (mods/Lorenz96/sakov2008.py) but for those marked
ROWS = {
    "BLUE": ("blue", {}, 0.945),
    "3D-Var": ("3dvar", {"background_scale": 0.02}, 0.41),
    "stochastic EnKF, N=40": ("enkf", {"members": 40, "inflation": 1.06}, 0.22),
    "stochastic EnKF, N=28": ("enkf", {"members": 28, "inflation": 1.08}, 0.24),
    "DEnKF, N=40": ("denkf", {"members": 40, "inflation": 1.01}, 0.18),
    "ETKF, N=28": ("etkf", {"members": 28, "inflation": 1.02, "rotation": True}, 0.18),
    "ETKF, N=20": ("etkf", {"members": 20, "inflation": 1.04, "rotation": True}, 0.20),
    "serial ESRF, N=28": ("esrf", {"members": 28, "inflation": 1.02, "rotation": True}, 0.18),
    "EnKF-N, N=24, xN=1": ("enkf-n", {"members": 24, "rotation": True}, 0.21),
    "EnKF-N, N=24, xN=2": ("enkf-n", {"members": 24, "rotation": True, "certainty": 2.0}, 0.18),
    "EnKF-N, N=20, xN=1": ("enkf-n", {"members": 20, "rotation": True}, 0.24),
    "EnKF-N, N=20, xN=2": ("enkf-n", {"members": 20, "rotation": True, "certainty": 2.0}, 0.19),
    "LETKF, N=7": ("letkf", {"members": 7, "inflation": 1.04, "rotation": True}, 0.22),
    "LETKF, N=10": ("letkf", {"members": 10, "inflation": 1.04, "localization_radius": 6.0}, 0.20),
    "EAKF, N=7": ("eakf", {"members": 7, "inflation": 1.07, "localization_radius": 6.0, "rotation": True}, 0.23),
}


@pytest.fixture(scope="module")
def twins():
    climate = lorenz96_climatology()
    cases = []
    for seed in range(REALIZATIONS):
        model, truth = lorenz96_truth(CYCLES, seed)
        cases.append((model, truth, observe_states(truth, 0.05, 1.0, np.random.default_rng(100 + seed))))
    return climate, cases


def median_rmse(twins, method, settings):
    climate, cases = twins
    scores = []
    for seed, (model, truth, observations) in enumerate(cases):
        analysis = assimilate(observations, model, METHODS[method](**settings), climate, np.random.default_rng(seed))
        assert analysis.attrs["status"] == "ok"
        scores.append(float(np.sqrt(((analysis["mean"] - truth) ** 2).mean("site"))[SPINUP:].mean()))
    return np.median(scores)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "settings", "published"), ROWS.values(), ids=ROWS)
def test_published_rmse_is_reproduced(twins, method, settings, published):
    tolerance = 0.015 if published < 0.5 else 0.1 * published
    assert median_rmse(twins, method, settings) == pytest.approx(published, abs=tolerance)


@pytest.mark.slow
def test_extended_kalman_filter_is_at_least_as_good_as_published(twins):
    # DAPPER states 0.24 with a Jacobian frozen at the end of the step (see below); ours is the tangent of the RK4 step
    assert median_rmse(twins, "ekf", {"inflation": 10**0.025}) < 0.24 + 0.015


class FrozenTangent:
    """Lorenz-96 for the state; its perturbations by exp(dt J), with J frozen at the end of the step, as in DAPPER."""

    compiled = None

    def __init__(self, model):
        self.model, self.size, self.time_step = model, model.size, model.time_step

    def step(self, states):
        x = self.model.step(states[:1])
        d = np.eye(self.size)
        along = (np.roll(d, -1, 1) - np.roll(d, 2, 1)) * np.roll(x, 1, 1)
        across = (np.roll(x, -1, 1) - np.roll(x, 2, 1)) * np.roll(d, 1, 1)
        transposed = along + across - d  # row j: the tendency of a perturbation of site j
        return np.vstack([x, x + (states[1:] - states[0]) @ expm(self.time_step * transposed)])


@pytest.mark.slow
def test_with_the_tangent_model_of_dapper_the_extended_kalman_filter_scores_as_published(twins):
    climate, cases = twins
    cases = [(FrozenTangent(model), truth, observations) for model, truth, observations in cases]
    assert median_rmse((climate, cases), "ekf", {"inflation": 10**0.025}) == pytest.approx(0.24, abs=0.015)


@pytest.mark.slow
def test_half_of_the_sites_moving_at_random():
    climate = lorenz96_climatology()
    cases = []
    for seed in range(REALIZATIONS):
        rng = np.random.default_rng(200 + seed)
        model, truth = lorenz96_truth(CYCLES, seed)
        sites = np.array([rng.choice(40, 20, replace=False) for _ in range(CYCLES)])
        cases.append((model, truth, observe_states(truth, 0.05, 1.0, rng, sites)))
    # measured for this project, not published; with a random rotation it is 0.265
    score = median_rmse((climate, cases), "etkf", {"members": 30, "inflation": 1.02})
    assert score == pytest.approx(0.28, abs=0.015)
