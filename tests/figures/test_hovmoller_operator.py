"""What is seen through an operator is not drawn among states."""

import numpy as np
import xarray as xr

from assimilearn.figures import hovmoller
from assimilearn.periods import TEST


def test_observations_of_functions_of_the_state_have_no_panel():
    times = 0.05 * np.arange(40)
    states = np.random.default_rng(0).standard_normal((40, 8))
    coords = {"time": times, "period": ("time", np.full(40, TEST, np.int8))}
    truth = xr.Dataset({"state": (("time", "site"), states)}, coords)
    analysis = xr.Dataset(
        {"mean": (("time", "site"), states + 0.1)}, coords, {"method": "etkf", "model_kind": "physical", "status": "ok"}
    )
    seen = {"value": states**2, "site_index": np.tile(np.arange(8), (40, 1)), "valid": np.ones((40, 8), np.int8)}
    observations = xr.Dataset(
        {name: (("time", "observation"), values) for name, values in seen.items()},
        coords,
        {"operator": '{"function": "square"}'},
    )
    figure = hovmoller.plot(observations=observations, analyses={"etkf": analysis}, truth=truth)
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
    assert titles == ["(a) Truth", "(b) Analysis: etkf", "(c) Error: analysis − truth"]
