"""What a forecast model costs: seconds of its training, and of a step of a member in an ensemble.

They are measured on the machine that runs the study, on one thread, and so are the only numbers of a study that are not
the same in the next run.
"""

from time import perf_counter

import numpy as np
import xarray as xr
from pydantic import Field

from assimilearn.models.integrate import drawn, stepper
from assimilearn.models.protocol import Model, draws_of, with_memory
from assimilearn.settings import Settings
from assimilearn.verification.matching import test_period

LEAST = 5  # rounds of steps, of which the fastest counts


class CostSettings(Settings):
    """How the cost of models is measured."""

    members: int = Field(30, ge=1, le=100_000, description="members that a step advances together")
    seconds: float = Field(0.1, gt=0, le=60, description="time over which steps are repeated; the fastest counts")


def measure_cost(
    model: Model, analysis: xr.Dataset, settings: CostSettings, training_seconds: float, rng: np.random.Generator
) -> xr.Dataset:
    """Seconds of training and of a step.

    Parameters
    ----------
    model : Model
    analysis : Dataset
        Whose test period gives the states that are advanced.
    settings : CostSettings
    training_seconds : float
        Of the process that trained the model; NaN where it is not known, 0 of a physical model.
    rng : numpy.random.Generator

    Returns
    -------
    Dataset
        ``training_seconds``, and ``step_seconds`` a member and step of the model.
    """
    means = analysis["mean"].values[test_period(analysis)].astype(float)
    means = means[np.isfinite(means).all(axis=1)]
    start = with_memory(model, means[np.linspace(0, len(means) - 1, settings.members).astype(int)])
    step, noise = stepper(model), drawn(settings.members, draws_of(model), rng)
    step(start.copy(), noise)  # compiles, and opens what is opened late
    rounds: list[float] = []
    while len(rounds) < LEAST or sum(rounds) < settings.seconds:
        states, begun = start.copy(), perf_counter()
        step(states, noise)
        rounds.append(perf_counter() - begun)
    texts = {
        "training_seconds": (training_seconds, "time that training took, with all that its process did"),
        "step_seconds": (min(rounds) / settings.members, f"time of a step of one of {settings.members} members"),
    }
    return xr.Dataset({n: ((), value, {"units": "s", "long_name": text}) for n, (value, text) in texts.items()})
