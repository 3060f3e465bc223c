"""Run any model freely: one state or many, compiled where the model allows it."""

from functools import cache

import numpy as np
from numba import int64, njit

from assimilearn.models.protocol import Model, WithStart
from assimilearn.models.signatures import MATRIX, STEP, VECTOR, by_pointer

LONG = 100  # steps; a shorter trajectory does not repay the 0.1 ms that a call with a function pointer costs


def trajectory(model: Model, initial: np.ndarray, steps: int) -> np.ndarray:
    """Integrate from ``initial`` and keep every state.

    Parameters
    ----------
    model : Model
    initial : ndarray (..., site)
    steps : int
        Number of steps, 0 or more.

    Returns
    -------
    ndarray (steps + 1, ..., site), the initial state first.
    """
    initial = np.asarray(initial, dtype=float)
    states = np.empty((steps + 1, *initial.shape))
    states[0] = initial
    rows = states.reshape(steps + 1, -1, model.size)
    if model.compiled is not None and steps < LONG:
        step, parameters = model.compiled
        for k in range(steps):
            rows[k + 1] = rows[k]
            step(rows[k + 1], parameters)
        return states
    if model.compiled is not None:
        step, parameters = model.compiled
        step = by_pointer(step)
        for start in range(rows.shape[1]):
            rows[:, start] = _compiled()(step, parameters, np.ascontiguousarray(rows[0, start : start + 1]), steps)
        return states
    for k in range(steps):
        states[k + 1] = model.step(states[k])
    return states


def advance(model: Model, states: np.ndarray, steps: int) -> np.ndarray:
    """Integrate ``states (..., site)`` by ``steps`` steps and keep only the last."""
    states = np.array(states, dtype=float)
    if model.compiled is not None:
        rows = np.ascontiguousarray(states.reshape(-1, model.size))
        step, parameters = model.compiled
        for _ in range(steps):
            step(rows, parameters)
        return rows.reshape(states.shape)
    for _ in range(steps):
        states = model.step(states)
    return states


def spun_up_state(model: Model, duration: float, rng: np.random.Generator) -> np.ndarray:
    """One state on the attractor: the model's own start or normal numbers, integrated for ``duration`` MTU; (site,)."""
    start = model.start(rng) if isinstance(model, WithStart) else rng.standard_normal(model.size)
    return advance(model, start, round(duration / model.time_step))


@cache
def _compiled():
    """Compile on first use: importing this file must stay cheap."""
    return njit(MATRIX(STEP, VECTOR, MATRIX, int64), cache=True)(_trajectory)


def _trajectory(step, parameters, E, steps):
    """States (steps + 1, site) of the one row of E."""
    states = np.empty((steps + 1, E.shape[1]))
    for k in range(steps + 1):
        if k > 0:
            step(E, parameters)
        for i in range(E.shape[1]):
            states[k, i] = E[0, i]
    return states
