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
    "4D-Var, window 1, every 0.2": ("4dvar", {"window": 1, "background_scale": 0.2} | IDENTITY, 4, 1000, 0.46),
    "4D-Var, window 2, every 0.2": ("4dvar", {"window": 2, "background_scale": 0.1} | IDENTITY, 4, 1000, 0.39),
    "4D-Var, window 4, every 0.2": ("4dvar", {"window": 4, "background_scale": 0.02} | IDENTITY, 4, 1000, 0.37),
    "particle filter, N=3000": (
        *("particle", {"members": 3000, "resampling_threshold": 0.5, "regularization": 0.7}),
        *(1, 1000, 0.26),
    ),
}


def series_of_rmse(method, settings, every, times, seed):
    """Spatial rmse of the analysis mean at every time after the spin-up."""
    model, truth = lorenz96_truth(times, seed, every=every)
    observations = observe_states(truth, 0.05, 1.0, np.random.default_rng(100 + seed), every=every)
    settings = METHODS[method](**settings)
    analysis = assimilate(observations, model, settings, lorenz96_climatology(), np.random.default_rng(seed))
    assert analysis.attrs["status"] == "ok"
    return np.sqrt(((analysis["mean"] - truth) ** 2).mean("site")).values[SPINUP:]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "settings", "every", "times", "published"), ROWS.values(), ids=ROWS)
def test_published_rmse_is_reproduced(method, settings, every, times, published):
    scores = [series_of_rmse(method, settings, every, times, seed).mean() for seed in range(REALIZATIONS)]
    assert np.median(scores) == pytest.approx(published, abs=0.015)


@pytest.mark.slow
def test_the_smoother_with_inferred_inflation_scores_as_dapper_does():
    # DAPPER 1.8 states 0.31 (N=20, lag 4, every 0.2, xN=2); run with these settings it scores 0.281, 0.286 and 0.292
    settings = {"members": 20, "inflation": 1.0, "certainty": 2.0, "lag": 4}
    scores = [series_of_rmse("ienks", settings, 4, 1000, seed).mean() for seed in range(REALIZATIONS)]
    assert np.median(scores) == pytest.approx(0.287, abs=0.015)


@pytest.mark.slow
def test_the_iterative_filter_scores_as_published_but_for_moments_in_which_it_is_lost():
    # N=25, lag 1, every 0.6: 0.46. Bursts at a few per cent of the times add some 0.02 to 0.08 to the mean, not to the
    # median; DAPPER 1.8, run for 600 times, has them too and scores 0.48
    settings = {"members": 25, "inflation": 1.2, "rotation": True}
    series = [series_of_rmse("ienks", settings, 12, 1000, seed) for seed in range(REALIZATIONS)]
    assert np.median([np.median(errors) for errors in series]) == pytest.approx(0.46, abs=0.015)
    assert max((errors > 1).mean() for errors in series) < 0.1
