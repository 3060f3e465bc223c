"""The cycle of forecast and update, written once for every model and every method.

Model step, update and moments enter as typed function pointers, so the cycle is compiled once for all pairs and cached
on disk. A model without a compiled step is run by the very same lines, interpreted; all per-site work is compiled
in both cases. The compiled cycle releases the GIL: experiments run side by side on threads.
"""

from functools import cache
from typing import Any

import numpy as np
from numba import float64, int64, njit

from assimilearn.assimilation.scales import adapt, factor
from assimilearn.assimilation.signatures import (
    COUNTS,
    ERROR,
    FLAGS,
    INDEPENDENT,
    KEPT,
    MATRIX,
    MOMENTS,
    RECORD,
    SITES,
    STEP,
    TENSOR,
    TREAT,
    UPDATE,
    VECTOR,
)
from assimilearn.kernels import FAST
from assimilearn.observations.operator_kernels import observed

ABSURD = 1e3  # no state of these models comes near; the forecast is lost long before it overflows


@cache
def compiled_cycle() -> Any:
    """:func:`cycle` for models with a compiled step; compiled on first use, since importing must stay cheap."""
    signature = int64(
        *(STEP, VECTOR, ERROR, float64, UPDATE, VECTOR, MOMENTS, TREAT, VECTOR, VECTOR, VECTOR, VECTOR, float64),
        *(VECTOR, INDEPENDENT, VECTOR, MATRIX),
        *(COUNTS, MATRIX, MATRIX, SITES, FLAGS, COUNTS),
        *(TENSOR, MATRIX, MATRIX, TENSOR),
        *(RECORD, RECORD, RECORD, RECORD, RECORD, RECORD, FLAGS, RECORD, KEPT, KEPT),
    )
    return njit(signature, cache=True, nogil=True)(cycle)


def cycle(
    step,
    step_parameters,
    error,
    error_std,
    update,
    update_parameters,
    moments,
    treat,
    treatment,
    inflation_scale,
    error_scale,
    static_variance,
    limit,
    operator,
    independent,
    correlation,
    E,
    steps,
    value,
    variance,
    sites,
    valid,
    keep,
    model_noise,
    update_noise,
    treatment_noise,
    parameter_noise,
    mean_f,
    spread_f,
    mean_a,
    spread_a,
    innovation,
    innovation_std,
    used,
    adapted,
    members_f,
    members_a,
):
    """Run the ensemble E (member, site), in place, through consecutive observation times.

    Parameters
    ----------
    step, step_parameters
        Model step ``step(E, parameters)`` in place, and its parameters.
    error, error_std
        Model error of one step ``error(E, std, noise)``, see :mod:`assimilearn.assimilation.model_error`.
    update, update_parameters, moments
        Kernels of the method, see :mod:`assimilearn.assimilation.signatures`.
    treat, treatment
        What is done after each update, see :mod:`assimilearn.assimilation.treatment`; no parameters for nothing.
    inflation_scale, error_scale : ndarray (6,) or (0,)
        States of :mod:`assimilearn.assimilation.scales`, in place: the inflation and ``error_std`` that follow the
        innovations, instead of those given.
    static_variance : ndarray (site,)
        Forecast error variance besides that of E: the diagonal of a static B, else zero.
    limit : float
        Observations with innovations of more than ``limit`` standard deviations are not used.
    operator : ndarray
        What is observed, see :mod:`assimilearn.observations.operator_kernels`; empty for sites.
    independent, correlation
        How correlated errors of one time are made independent, :mod:`assimilearn.observations.correlation_kernels`;
        the correlation by distance is empty where they are.
    E : ndarray (member, site + parameter)
        Each member may carry parameters of the model after its sites (:mod:`assimilearn.assimilation.parameters`).
    steps : ndarray (time,), int64
        Model steps before each observation time.
    value, variance, sites, valid : ndarray (time, observation)
        Padded observations, their error variances, sites and validity.
    keep : ndarray (time,), int64
        Nonzero where the ensemble is kept.
    model_noise : ndarray (model step, member, site), or (0, member, site) without model error
        Random numbers of the model error; (model step, 0, 0) where it needs none.
    update_noise, treatment_noise : ndarray (time, noise)
        Random numbers for the update and for the treatment.
    parameter_noise : ndarray (time, member, parameter)
        What the parameters change by before each observation time.
    mean_f, spread_f, mean_a, spread_a, innovation, innovation_std, used, adapted, members_f, members_a
        Written: forecast and analysis moments (time, site), innovations (time, observation), which observations were
        used (time, observation), what is adapted (time, quantity), kept ensembles (kept time, member, site).

    Returns
    -------
    int
        Number of times done: fewer than there are if the ensemble diverged.
    """
    mean, spread = np.empty(E.shape[1]), np.empty(E.shape[1])
    n = mean_f.shape[1]
    stepped = kept = 0
    for k in range(steps.size):
        for _ in range(steps[k]):
            step(E, step_parameters)
            if model_noise.shape[0] > 0:
                error(E, factor(error_scale) if error_scale.size > 0 else error_std, model_noise[stepped])
                stepped += 1
        walk(E, parameter_noise[k])
        moments(E, mean, spread)
        if not record(mean, spread, static_variance, mean_f[k], spread_f[k]):
            return k
        predicted, deviation = at_sites(mean, spread, sites[k])
        if operator.size > 0:
            moments(observed(at_all_sites(E, n), sites[k], operator), predicted, deviation)
            for o in range(deviation.size):
                deviation[o] = np.sqrt(deviation[o])
        y, r, where = select(
            *(value[k], variance[k], sites[k], valid[k], predicted, deviation, limit),
            *(innovation[k], innovation_std[k], used[k]),
        )
        if keep[k] != 0:
            copy(E, members_f[kept])
        if where.size > 0:
            if inflation_scale.size > 0:
                adapt(inflation_scale, innovation[k], innovation_std[k], variance[k], used[k])
                treatment[0] = factor(inflation_scale)
            if error_scale.size > 0:
                adapt(error_scale, innovation[k], innovation_std[k], variance[k], used[k])
            prior = E.copy() if treatment.size > 0 and treatment[2] > 0 else E[:0]
            Y = observed(at_all_sites(E, n), where, operator)
            if correlation.size > 0:
                independent(Y, r, where, correlation, n)
                independent(y.reshape(1, y.size), r, where, correlation, n)
            update(E, Y, y, r, where, update_parameters, update_noise[k])
            if treatment.size > 0:
                treat(E, prior, spread[:n], treatment, treatment_noise[k])
        moments(E, mean, spread)
        write_adapted(inflation_scale, error_scale, mean[n:], spread[n:], adapted[k])
        if not record(mean, spread, static_variance, mean_a[k], spread_a[k]):
            return k
        if keep[k] != 0:
            copy(E, members_a[kept])
            kept += 1
    return steps.size


@njit(cache=True, error_model="numpy")
def write_adapted(inflation_scale, error_scale, mean, variance, adapted):
    """Write what is adapted into one row, in the order of :func:`assimilearn.assimilation.adaptive.quantities`.

    ``mean`` and ``variance (parameter,)`` are those of the parameters.
    """
    q = 0
    for state in (inflation_scale, error_scale):
        if state.size > 0:
            adapted[q] = factor(state)
            q += 1
    for i in range(mean.size):
        adapted[q + 2 * i] = mean[i]
        adapted[q + 2 * i + 1] = np.sqrt(variance[i])


@njit(cache=True, error_model="numpy")
def at_all_sites(E, n):
    """E without the parameters that its members may carry after their n sites."""
    return E if E.shape[1] == n else E[:, :n].copy()


@njit(cache=True, error_model="numpy")
def walk(E, change):
    """Add ``change (member, parameter)`` to the last entries of E, in place."""
    first = E.shape[1] - change.shape[1]
    for j in range(change.shape[0]):
        for i in range(change.shape[1]):
            E[j, first + i] += change[j, i]


@njit(cache=True, error_model="numpy")
def record(mean, spread, static_variance, mean_out, spread_out):
    """Turn the variance in ``spread`` into a standard deviation, write both; False if the mean is no longer a state."""
    sound = True
    for i in range(mean_out.size):
        spread[i] = np.sqrt(spread[i] + static_variance[i])
        mean_out[i] = mean[i]
        spread_out[i] = spread[i]
        if not abs(mean[i]) < ABSURD:
            sound = False
    return sound


@njit(cache=True, error_model="numpy")
def at_sites(mean, spread, sites):
    """Mean and standard deviation of the sites that are observed, each (observation,)."""
    predicted, deviation = np.empty(sites.size), np.empty(sites.size)
    for o in range(sites.size):
        predicted[o], deviation[o] = mean[sites[o]], spread[sites[o]]
    return predicted, deviation


@njit(cache=True, error_model="numpy")
def select(value, variance, sites, valid, predicted, deviation, limit, innovation, innovation_std, used):
    """Write the innovations of one time and return values, variances and sites of the observations to be used.

    ``predicted`` and ``deviation (observation,)`` are what the forecast expects of the observations.
    """
    p = 0
    y, r, where = np.empty(value.size), np.empty(value.size), np.empty(value.size, np.int64)
    for o in range(value.size):
        if valid[o] != 0:
            d, s = value[o] - predicted[o], np.sqrt(deviation[o] ** 2 + variance[o])
            innovation[o], innovation_std[o] = d, s
            if abs(d) <= limit * s:
                used[o] = 1
                y[p], r[p], where[p] = value[o], variance[o], sites[o]
                p += 1
    return y[:p], r[:p], where[:p]


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
