"""The cycle of forecast and update, written once for every model and every method.

Model step, update and moments enter as typed function pointers, so the cycle is compiled once for all pairs and cached
on disk. A step in Python is called from it (:mod:`assimilearn.models.called`). With an update or an operator in Python
the very same lines are interpreted; all per-site work is compiled in both cases. The compiled cycle releases the GIL:
experiments run side by side on threads.
"""

from functools import cache
from typing import Any

import numpy as np
from numba import int64, njit
from numba.extending import register_jitable

from assimilearn.assimilation.cycling.scales import adapt, factor
from assimilearn.assimilation.cycling.screening import at_sites, select
from assimilearn.assimilation.cycling.signatures import (
    CONSTANTS,
    KERNELS,
    MATRIX,
    NOISE,
    OBSERVATIONS,
    OUTPUT,
    SCALES,
    Kernels,
)
from assimilearn.kernels import FAST


@cache
def compiled_cycle() -> Any:
    """:func:`cycle` for compiled updates and operators; compiled on first use, since importing must stay cheap."""
    signature = int64(*KERNELS, CONSTANTS, SCALES, OBSERVATIONS, NOISE, OUTPUT, MATRIX)
    return njit(signature, cache=True, nogil=True)(cycle)


def cycle(step, error, update, moments, inflate, observe, whiten, constants, scales, observations, noise, output, E):
    """Run the ensemble E, in place, through consecutive observation times.

    Parameters
    ----------
    step, error, update, moments, inflate, observe, whiten
        The fields of :class:`assimilearn.assimilation.cycling.signatures.Kernels`, one by one: a compiled loop takes a
        kernel by pointer where it is an argument of its own, not inside a tuple.
    constants : Constants
    scales : Scales
    observations : Observations
    noise : Noise
    output : Output
        Those of :mod:`assimilearn.assimilation.cycling.signatures`.
    E : ndarray (member, site + memory + parameter)
        Each member may carry after its sites what the model remembers, and parameters of the model
        (:mod:`assimilearn.assimilation.cycling.parameters`).

    Returns
    -------
    int
        Number of times done: fewer than there are if the ensemble diverged.
    """
    kernels = Kernels(step, error, update, moments, inflate, observe, whiten)
    mean, spread = np.empty(E.shape[1]), np.empty(E.shape[1])
    inflation = constants.inflation.copy()
    first_parameter = E.shape[1] - noise.walk.shape[2]
    stepped = kept = 0
    for k in range(observations.steps.size):
        error_std = factor(scales.error) if scales.error.size > 0 else constants.error_std
        stepped = forecast(kernels, constants.step, error_std, noise, stepped, observations.steps[k], E)
        walk(E, noise.walk[k])
        moments(E, mean, spread)
        if not record(mean, spread, constants, output.forecast_mean[k], output.forecast_spread[k]):
            return k
        d, d_std, used = output.innovation[k], output.innovation_std[k], output.used[k]
        expected, expected_std = expected_by(kernels, E, mean, spread, observations.sites[k], constants.operator)
        y, variance, sites = select(
            *(observations.value[k], observations.variance[k], observations.sites[k], observations.valid[k]),
            *(expected, expected_std, constants.limit, d, d_std, used),
        )
        if observations.keep[k] != 0:
            copy(E, output.forecast_members[kept])
        if sites.size > 0:
            adapt_scales(scales, d, d_std, observations.variance[k], used, inflation)
            analyse(kernels, constants, inflation, noise.update[k], noise.rotation[k], E, spread, y, variance, sites)
        moments(E, mean, spread)
        write_adapted(scales, mean[first_parameter:], spread[first_parameter:], output.adapted[k])
        if not record(mean, spread, constants, output.mean[k], output.spread[k]):
            return k
        if observations.keep[k] != 0:
            copy(E, output.members[kept])
            kept += 1
    return observations.steps.size


@register_jitable
def forecast(kernels, parameters, error_std, noise, stepped, steps, E):
    """Advance E by ``steps`` model steps, each with its model error, in place.

    The random numbers of the first ``stepped`` steps are used up; returned is how many are then.
    """
    draws = noise.step.shape[2]
    whole = np.empty((E.shape[0], E.shape[1] + draws)) if draws > 0 else E
    for _ in range(steps):
        if draws > 0:
            write_columns(E, whole, 0)
            write_columns(noise.step[stepped], whole, E.shape[1])
        kernels.step(whole, parameters)
        if draws > 0:
            read_columns(whole, E)
        if noise.model.shape[0] > 0:
            kernels.error(E, error_std, noise.model[stepped])
        stepped += 1
    return stepped


@njit(cache=True, error_model="numpy")
def write_columns(part, whole, first):
    """Copy ``part (row, column)`` into ``whole``, from column ``first`` on."""
    for j in range(part.shape[0]):
        for i in range(part.shape[1]):
            whole[j, first + i] = part[j, i]


@njit(cache=True, error_model="numpy")
def read_columns(whole, E):
    """Copy the first columns of ``whole`` to E (row, column)."""
    for j in range(E.shape[0]):
        for i in range(E.shape[1]):
            E[j, i] = whole[j, i]


@register_jitable
def expected_by(kernels, E, mean, spread, sites, operator):
    """Mean and standard deviation of the observations at ``sites`` that the forecast E expects, each (observation,).

    ``mean`` and ``spread (site + parameter,)`` are those of E.
    """
    if operator.function.size == 0:
        return at_sites(mean, spread, sites)
    expected, std = np.empty(sites.size), np.empty(sites.size)
    kernels.moments(observed(kernels, E, sites, operator), expected, std)
    for o in range(std.size):
        std[o] = np.sqrt(std[o])
    return expected, std


@register_jitable
def observed(kernels, E, sites, operator):
    """What the members of E would observe at ``sites``, (member, observation)."""
    Y = np.empty((E.shape[0], sites.size))
    kernels.observe(E, sites, operator, Y)
    return Y


@register_jitable
def analyse(kernels, constants, inflation, update_noise, rotation_noise, E, spread, y, variance, sites):
    """Update E with the observations of one time, then relax, inflate and rotate it, in place.

    ``spread (site + parameter,)`` is that of the forecast.
    """
    n = constants.static_variance.size
    prior = E.copy() if inflation.size > 0 and inflation[2] > 0 else E[:0]
    Y = observed(kernels, E, sites, constants.operator)
    if constants.correlation.length > 0:
        kernels.whiten(Y, variance, sites, constants.correlation)
        kernels.whiten(y.reshape(1, y.size), variance, sites, constants.correlation)
    kernels.update(E, Y, y, variance, sites, constants.update, update_noise)
    if inflation.size > 0:
        kernels.inflate(E, prior, spread[:n], inflation, rotation_noise)


@njit(cache=True, error_model="numpy")
def adapt_scales(scales, innovation, innovation_std, variance, used, inflation):
    """Let inflation, ``inflation[0]``, and model error follow the innovations of one time, where they are adaptive."""
    if scales.inflation.size > 0:
        adapt(scales.inflation, innovation, innovation_std, variance, used)
        inflation[0] = factor(scales.inflation)
    if scales.error.size > 0:
        adapt(scales.error, innovation, innovation_std, variance, used)


@njit(cache=True, error_model="numpy")
def write_adapted(scales, mean, variance, adapted):
    """Write what is adapted into one row, in the order of :func:`assimilearn.assimilation.cycling.adaptive.quantities`.

    ``mean`` and ``variance (parameter,)`` are those of the parameters.
    """
    q = 0
    for state in (scales.inflation, scales.error):
        if state.size > 0:
            adapted[q] = factor(state)
            q += 1
    for i in range(mean.size):
        adapted[q + 2 * i] = mean[i]
        adapted[q + 2 * i + 1] = np.sqrt(variance[i])


@njit(cache=True, error_model="numpy")
def walk(E, change):
    """Add ``change (member, parameter)`` to the last entries of E, in place."""
    first = E.shape[1] - change.shape[1]
    for j in range(change.shape[0]):
        for i in range(change.shape[1]):
            E[j, first + i] += change[j, i]


@register_jitable
def record(mean, spread, constants, mean_out, spread_out):
    """Turn the variance in ``spread`` into a standard deviation, write both; False if the mean is no longer a state."""
    return write_moments(
        mean, spread, constants.static_variance, constants.lowest, constants.highest, mean_out, spread_out
    )


@njit(cache=True, error_model="numpy")
def write_moments(mean, spread, static_variance, lowest, highest, mean_out, spread_out):
    """The same with the static variance and the bounds of states one by one, each (site,)."""
    sound = True
    for i in range(mean_out.size):
        spread[i] = np.sqrt(spread[i] + static_variance[i])
        mean_out[i] = mean[i]
        spread_out[i] = spread[i]
        if not lowest[i] <= mean[i] <= highest[i]:
            sound = False
    return sound


@njit(cache=True, error_model="numpy")
def copy(E, target):
    """Copy E into single precision."""
    for j in range(target.shape[0]):
        for i in range(target.shape[1]):
            target[j, i] = E[j, i]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def ensemble_moments(E, mean, variance):
    """Mean and sample variance (divisor N - 1) over the members; the variance of a single state is zero."""
    N, n = E.shape
    mean[:] = 0.0
    variance[:] = 0.0
    for j in range(N):
        for i in range(n):
            mean[i] += E[j, i]
    for i in range(n):
        mean[i] /= N
    for j in range(N):
        for i in range(n):
            variance[i] += (E[j, i] - mean[i]) ** 2
    for i in range(n):
        variance[i] /= max(N - 1, 1)
