"""Run any model freely: one state or many, compiled where the model allows it."""

from collections.abc import Callable
from functools import cache
from typing import TypeAlias

import numpy as np
from numba import int64, njit

from assimilearn.models.protocol import Model, WithStart, draws_of, with_memory
from assimilearn.models.signatures import MATRIX, STEP, VECTOR, by_pointer

LONG = 100  # steps; a shorter trajectory does not repay the 0.1 ms that a call with a function pointer costs


def trajectory(model: Model, initial: np.ndarray, steps: int, rng: np.random.Generator | None = None) -> np.ndarray:
    """Integrate from ``initial`` and keep every state.

    Parameters
    ----------
    model : Model
    initial : ndarray (..., site + memory)
    steps : int
        Number of steps, 0 or more.
    rng : numpy.random.Generator, optional
        Of a stochastic model; without one its noise is zero.

    Returns
    -------
    ndarray (steps + 1, ..., site + memory), the initial state first.
    """
    initial = np.asarray(initial, dtype=float)
    states = np.empty((steps + 1, *initial.shape))
    states[0] = initial
    rows = states.reshape(steps + 1, -1, initial.shape[-1])
    draws = draws_of(model)
    if model.compiled is not None and draws == 0 and steps >= LONG:
        step, parameters = model.compiled
        step = by_pointer(step)
        for start in range(rows.shape[1]):
            rows[:, start] = _compiled()(step, parameters, np.ascontiguousarray(rows[0, start : start + 1]), steps)
        return states
    step_rows = stepper(model)
    for k in range(steps):
        rows[k + 1] = rows[k]
        step_rows(rows[k + 1], drawn(rows.shape[1], draws, rng))
    return states


def advance(model: Model, states: np.ndarray, steps: int, rng: np.random.Generator | None = None) -> np.ndarray:
    """Integrate ``states (..., site + memory)`` by ``steps`` steps and keep only the last; ``rng`` as above."""
    states = np.array(states, dtype=float)
    rows = np.ascontiguousarray(states.reshape(-1, states.shape[-1]))
    step, draws = stepper(model), draws_of(model)
    for _ in range(steps):
        step(rows, drawn(len(rows), draws, rng))
    return rows.reshape(states.shape)


def forecast(model: Model, states: np.ndarray, steps: int, rng: np.random.Generator | None = None) -> np.ndarray:
    """``states (..., site)`` after ``steps`` steps, (..., site); a memory begins anew. ``rng`` as above."""
    return advance(model, with_memory(model, states), steps, rng)[..., : model.size]


Step: TypeAlias = Callable[[np.ndarray, np.ndarray], None]
"""``step(E (row, site + memory), noise (row, draws))``: one step of E, C-contiguous, in place."""


def stepper(model: Model) -> Step:
    """One step of a model, compiled where it can be, in place; ``noise`` has no columns where nothing is drawn."""
    compiled, draws = model.compiled, draws_of(model)
    if compiled is None and draws == 0:

        def step(E: np.ndarray, noise: np.ndarray) -> None:
            E[:] = model.step(E)

    elif compiled is None:

        def step(E: np.ndarray, noise: np.ndarray) -> None:
            E[:] = model.step(E, noise)  # type: ignore[call-arg]

    elif draws == 0:

        def step(E: np.ndarray, noise: np.ndarray) -> None:
            compiled.step(E, compiled.parameters)

    else:

        def step(E: np.ndarray, noise: np.ndarray) -> None:
            whole = np.hstack([E, noise])
            compiled.step(whole, compiled.parameters)
            E[:] = whole[:, : E.shape[1]]

    return step


def drawn(rows: int, draws: int, rng: np.random.Generator | None) -> np.ndarray:
    """Standard normal numbers of one step, (row, draws); zeros without a generator."""
    return np.zeros((rows, draws)) if rng is None or draws == 0 else rng.standard_normal((rows, draws))


def spun_up_state(model: Model, duration: float, rng: np.random.Generator) -> np.ndarray:
    """One state on the attractor, (site + memory,): the model's own start or normal numbers, after ``duration`` MTU."""
    start = model.start(rng) if isinstance(model, WithStart) else rng.standard_normal(model.size)
    return advance(model, with_memory(model, start), round(duration / model.time_step), rng)


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
