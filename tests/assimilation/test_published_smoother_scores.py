"""Published errors of smoothers, 4D-Var and the particle filter: Lorenz-96, every site observed, R = I."""

import numpy as np
import pytest
from twins import lorenz96_climatology, lorenz96_truth, observe_states

from assimilearn.assimilation import METHODS, assimilate

REALIZATIONS, SPINUP = 3, 100

# The published scales are those of the identity: with the climatological covariance, which is its default, DAPPER 1.8
# itself scores 0.66 and 0.59 with windows of 1 and 2, and 0.45 and 0.39 with the identity. Its Jacobian, frozen over
# each step, matters little.
IDENTITY = {"background": "identity", "linearization": "differences"}

# method, settings, model steps between observations, times, rmse.a; rows of DAPPER 1.8 (mods/Lorenz96/sakov2008.py)
ROWS = {
    "IEnKS, N=40, lag 1": ("ienks", {"members": 40, "inflation": 1.01, "rotation": True}, 1, 2000, 0.17),
    "IEnKS, N=25, lag 1, every 0.6": ("ienks", {"members": 25, "inflation": 1.2, "rotation": True}, 12, 1000, 0.46),
    "IEnKS, N=20, lag 4, every 0.2": (
        *("ienks", {"members": 20, "inflation": 1.04, "lag": 4, "rotation": True}),
        *(4, 1000, 0.31),
    ),
    "4D-Var, window 1, every 0.2": ("4dvar", {"window": 1, "background_scale": 0.2} | IDENTITY, 4, 1000, 0.46),
    "4D-Var, window 2, every 0.2": ("4dvar", {"window": 2, "background_scale": 0.1} | IDENTITY, 4, 1000, 0.39),
    "4D-Var, window 4, every 0.2": ("4dvar", {"window": 4, "background_scale": 0.02} | IDENTITY, 4, 1000, 0.37),
    "particle filter, N=3000": (
        *("particle", {"members": 3000, "resampling_threshold": 0.5, "regularization": 0.7}),
        *(1, 1000, 0.26),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("method", "settings", "every", "times", "published"), ROWS.values(), ids=ROWS)
def test_published_rmse_is_reproduced(method, settings, every, times, published):
    climate, scores = lorenz96_climatology(), []
    for seed in range(REALIZATIONS):
        model, truth = lorenz96_truth(times, seed, every=every)
        observations = observe_states(truth, 0.05, 1.0, np.random.default_rng(100 + seed), every=every)
        analysis = assimilate(observations, model, METHODS[method](**settings), climate, np.random.default_rng(seed))
        assert analysis.attrs["status"] == "ok"
        scores.append(float(np.sqrt(((analysis["mean"] - truth) ** 2).mean("site"))[SPINUP:].mean()))
    assert np.median(scores) == pytest.approx(published, abs=0.015)
