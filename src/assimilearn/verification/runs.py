"""Many runs of one model together, each stopped when it leaves the attractor for good.

A learned model may blow up. A row that does is taken out and is NaN from then on, so that the others go on, no
overflow is met, and an estimator that refuses infinite input is never given any.
"""

from collections.abc import Iterator

import numpy as np

from assimilearn.models.integrate import advance
from assimilearn.models.protocol import Model, with_memory

FAR = 50.0  # climatological standard deviations: no state of a sound run is a tenth as far from the mean
AT_REST = 0.1  # of the rms standard deviation: sites that vary less, as those of a boundary, count with that


def runs(
    model: Model,
    initial: np.ndarray,
    steps: int,
    mean: np.ndarray,
    std: np.ndarray | float,
    rng: np.random.Generator | None = None,
) -> Iterator[np.ndarray]:
    """States of all runs after 0, 1, ... ``steps`` steps of ``model``.

    Parameters
    ----------
    model : Model
    initial : ndarray (run, site)
        Rows that hold a NaN are NaN throughout.
    steps : int
    mean, std : ndarray (site,)
        Climatological mean and standard deviation; farther than 50 of the latter from the former, a run has blown up.
    rng : numpy.random.Generator, optional
        Of a stochastic model; without one its noise is zero.

    Yields
    ------
    ndarray (run, site), a fresh array each time.
    """
    n = model.size
    least = np.maximum(std, AT_REST * np.sqrt(np.mean(np.square(std))))
    states = _guarded(with_memory(model, np.array(initial, dtype=float)), mean, least)
    yield states[:, :n].copy()
    for _ in range(steps):
        alive = ~np.isnan(states[:, 0])
        if alive.any():
            with np.errstate(over="ignore", invalid="ignore"):
                states[alive] = advance(model, states[alive], 1, rng)
            states = _guarded(states, mean, least)
        yield states[:, :n].copy()


def _guarded(states: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """``states (run, site + memory)`` with rows that have blown up set to NaN, as what holds a NaN counts too."""
    sound = (np.abs(states[:, : len(mean)] - mean) <= FAR * std).all(axis=1)
    states[~sound] = np.nan
    return states
