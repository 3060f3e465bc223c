"""The truth of a twin experiment: one run of the model, kept at the given times."""

import numpy as np
import xarray as xr
from pydantic import Field

from assimilearn.clock import step_numbers
from assimilearn.errors import SettingsError
from assimilearn.models.fields import model_geometry, with_geometry
from assimilearn.models.integrate import spun_up_state, trajectory
from assimilearn.models.noise import Noisy
from assimilearn.models.projection import Projection
from assimilearn.models.protocol import Model
from assimilearn.periods import with_periods
from assimilearn.settings import Settings

BLOCK = 1000  # output times integrated at once: bounds the memory when many steps lie between two of them


class TruthSettings(Settings):
    """How the nature run starts."""

    spinup: float = Field(50.0, ge=0, description="MTU from a random state to time 0, to reach the attractor")
    noise_std: float = Field(
        0.0,
        ge=0,
        description="standard deviation of the noise added to every site after each model step, in the units of its "
        "field: no forecast model is then perfect",
    )
    fields: dict[str, str] | None = Field(
        None,
        description="where the truth is of another model than the first: field of the first model -> field of the "
        "truth; the truth is then kept, observed and scored in the fields and on the grid of the first model, "
        "interpolated linearly where grids differ",
    )


def simulate(
    model: Model,
    settings: TruthSettings,
    times: np.ndarray,
    flags: np.ndarray,
    rng: np.random.Generator,
    onto: Projection | None = None,
) -> xr.Dataset:
    """Run ``model`` from a random spun-up state and keep its states at ``times``.

    Parameters
    ----------
    model : Model
    settings : TruthSettings
    times : ndarray (time,)
        MTU after the spin-up, increasing multiples of ``model.time_step``; any number of steps apart.
    flags : ndarray (time,)
        Period of every time (see :mod:`assimilearn.periods`).
    rng : numpy.random.Generator
    onto : Projection, optional
        What is kept of each state, in the fields of another model; by default all.

    Returns
    -------
    Dataset with ``state(time, site)``, float64, and the coordinate ``period(time)``.

    Raises
    ------
    AssimilearnError
        If ``times`` are not increasing multiples of the time step.
    SettingsError
        If the run diverges.
    """
    steps = step_numbers(times, model.time_step)
    geometry = model_geometry(model) if onto is None else onto.geometry
    states = np.empty((steps.size, geometry.size))
    state, now = spun_up_state(model, settings.spinup, rng), 0
    if settings.noise_std > 0:
        model = Noisy(model, settings.noise_std)
    for first in range(0, steps.size, BLOCK):
        block = steps[first : first + BLOCK]
        path = trajectory(model, state, int(block[-1]) - now, rng)
        kept = path[block - now, : model.size]
        states[first : first + BLOCK] = kept if onto is None else onto(kept)
        state, now = path[-1], int(block[-1])
    refuse_divergence(states, model)
    return with_geometry(truth_dataset(times, flags, states, model.time_step), geometry)


def truth_dataset(times: np.ndarray, flags: np.ndarray, states: np.ndarray, time_step: float) -> xr.Dataset:
    """The truth artifact from ``states (time, site)``, at ``times`` in MTU."""
    dataset = xr.Dataset(
        {"state": (("time", "site"), np.asarray(states, dtype=float), {"units": "1", "long_name": "true state"})},
        coords={
            "time": ("time", np.asarray(times, dtype=float), {"units": "MTU", "long_name": "time"}),
            "site": ("site", np.arange(states.shape[1]), {"units": "1", "long_name": "site index"}),
        },
        attrs={"size": states.shape[1], "time_step": time_step},
    )
    return with_periods(dataset, flags)


def refuse_divergence(states: np.ndarray, model: Model) -> None:
    """Raise SettingsError if a run of ``model`` holds values that are not finite.

    This run is what a climatology is made from: only later runs can be told to be far from it.
    """
    if not np.isfinite(states).all():
        raise SettingsError(
            f"the free run of the model diverged: its time step of {model.time_step:g} MTU is too long, "
            "or its parameters have no bounded solution"
        )
