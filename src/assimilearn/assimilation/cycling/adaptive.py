"""What a filter finds by itself while it cycles: how each adaptation starts, and what it is called in the analysis.

The innovations do not say why a forecast is worse than the ensemble expects. So an estimated model error also stands
for the sampling errors of a small ensemble, those of drawn noise above all: Lorenz-96 with noise of 0.2 a step gives
0.35 with 40 members and drawn noise, 0.22 with 100, and 0.20 with 40 members and the square root.
"""

import numpy as np

from assimilearn.assimilation.background.climatology import Background
from assimilearn.assimilation.cycling.scales import scale
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import AnalysisSettings
from assimilearn.models.protocol import Model, residual_std

INFLATION = {"first": 1.0, "std": 0.1, "walk": 0.0005, "low": 0.9, "high": 3.0}
MODEL_ERROR = {"std": 1.0, "walk": 0.02}
FIRST_SHARE, SMALLEST_SHARE = 0.1, 1e-4  # of the climatological standard deviation: first guess of the model error


def quantities(settings: AnalysisSettings, problem: Problem) -> dict[str, str]:
    """Names and long names of the series (time,) that a filter with these settings writes besides the usual ones."""
    names = {}
    if settings.after_update.adapts:
        names["inflation"] = "estimated factor on the anomalies of the analysis"
    if settings.error_given.std == "estimated":
        names["model_error_std"] = "estimated standard deviation of the model error of one step"
    for name in settings.estimates:
        names[f"parameter_{name}"] = f"ensemble mean of the {name} of the model"
        names[f"parameter_{name}_spread"] = f"ensemble standard deviation of the {name} of the model"
    for name in problem.biases:
        names[f"bias_{name}"] = f"ensemble mean of the bias of {name}"
        names[f"bias_{name}_spread"] = f"ensemble standard deviation of the bias of {name}"
    return names


def inflation_scale(settings: AnalysisSettings) -> np.ndarray:
    """State of the adaptive inflation (:mod:`assimilearn.assimilation.cycling.scales`); empty if it is given."""
    return scale(**INFLATION) if settings.after_update.adapts else np.empty(0)


def error_scale(settings: AnalysisSettings, model: Model, background: Background) -> np.ndarray:
    """State of the estimated model error; empty if it is given.

    The first guess is the one-step error that an emulator states, else a share of the climatological spread.
    """
    if settings.error_given.std != "estimated":
        return np.empty(0)
    climatological = float(np.sqrt(background.variance.mean()))
    first = residual_std(model)
    if not (np.isfinite(first) and first > SMALLEST_SHARE * climatological):
        first = FIRST_SHARE * climatological
    return scale(first, low=SMALLEST_SHARE * climatological, high=climatological, **MODEL_ERROR)
