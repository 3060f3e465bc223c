"""Lyapunov exponents of any model, from finite perturbations kept small and orthogonal.

Benettin et al. (1980), Meccanica 15, 9-20: carry perturbations along a trajectory, orthonormalise them by QR at every
step, and average the logarithms of the stretching. Here the perturbations are finite (size 1e-3), so that
no tangent model is needed and an emulator is measured exactly as the truth is. The state and its perturbations meet the
same random numbers of a stochastic model. Cost: one QR of (site, count) a step.
"""

import numpy as np

from assimilearn.models.integrate import spun_up_state, stepper
from assimilearn.models.protocol import Model, draws_of, with_memory

SIZE = 1e-3  # far below the nonlinear range (0.1), far above round-off, in single precision too: 1e-7 x 10


def lyapunov_exponents(
    model: Model,
    duration: float,
    rng: np.random.Generator,
    count: int | None = None,
    spinup: float = 20.0,
    start: np.ndarray | None = None,
) -> np.ndarray:
    """Leading Lyapunov exponents.

    Parameters
    ----------
    model : Model
    duration : float
        Length of the trajectory in MTU; the error falls as its square root.
    rng : numpy.random.Generator
    count : int, optional
        How many exponents; all of them by default.
    spinup : float
        MTU before the average starts, for the state and the perturbations alike.
    start : ndarray (site,), optional
        Where the trajectory starts; by default anywhere on the attractor. A learned model need not find its way there.

    Returns
    -------
    ndarray (count,), per MTU, in falling order as far as the average has converged; NaN if the trajectory blew up.
    """
    count = model.size if count is None else count
    state = spun_up_state(model, spinup, rng) if start is None else with_memory(model, start)
    directions = np.linalg.qr(rng.standard_normal((state.size, count)))[0]
    step, draws = stepper(model), draws_of(model)
    total = np.zeros(count)
    first, last = round(spinup / model.time_step), round((spinup + duration) / model.time_step)
    for k in range(last):
        stepped = np.vstack([state, state + SIZE * directions.T])
        step(stepped, np.tile(rng.standard_normal(draws), (len(stepped), 1)))
        if not np.isfinite(stepped).all():
            return np.full(count, np.nan)
        state = stepped[0]
        directions, stretch = np.linalg.qr((stepped[1:] - state).T / SIZE)
        if k >= first:
            total += np.log(np.abs(np.diag(stretch)))
    return total / ((last - first) * model.time_step)


def kaplan_yorke_dimension(exponents: np.ndarray) -> float:
    """Dimension of the attractor after Kaplan & Yorke (1979), from exponents (exponent,) in falling order.

    Raises
    ------
    ValueError
        If the sum of all given exponents is still positive: more are needed.
    """
    total = np.cumsum(exponents)
    if total[-1] >= 0:
        raise ValueError("the sum of the given Lyapunov exponents is not negative: pass more of them")
    last = int(np.argmax(total < 0))
    return 0.0 if last == 0 else last + float(total[last - 1] / -exponents[last])


def kolmogorov_sinai_entropy(exponents: np.ndarray) -> float:
    """Sum of the positive exponents (Pesin's identity), per MTU."""
    return float(exponents[exponents > 0].sum())
