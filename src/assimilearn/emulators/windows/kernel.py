"""One window of observations: fit its start, eliminate it, and keep what it says of the coefficients.

With the start x of a window, its background x_b, the coefficients c and the model's trajectory h(x, c) at the observed
sites, a window costs

    J(x, c) = |(y - h(x, c)) / error_std|^2 + |(x - x_b) / std|^2.

The background only keeps unobserved directions within bounds. It must be weak: one that draws x biases c. Without any,
the gradient of J, minimised over x, with respect to c is zero on average at the true c as far as h is linear in x: with
the projector P on the range of X it is -2 d'(1 - P) X_c X^+ d, whose mean is -2 tr(X^+ (1 - P) X_c) = 0.

Gauss-Newton in both, with the Jacobians X = dh/dx, C = dh/dc (each row over its error_std) from the tangent-linear
model along the trajectory, has the normal equations

    [A   B] [dx]   [u]        A = X'X + 1/std^2,  B = X'C,  u = X'd - (x - x_b)/std^2,
    [B'  D] [dc] = [v],       D = C'C,            v = C'd.

The start belongs to its own window only and is eliminated: the window adds D - B' A^-1 B to the matrix and
v - B' A^-1 u to the right-hand side of the coefficients (the Schur complement; variable projection, Golub & Pereyra
1973, SIAM J. Numer. Anal. 10, 413-432). All tangent vectors are carried at once, one a column; the tendency's Jacobian
has 2 radius + 1 entries a row. No BLAS: sums are made in a fixed order, so that threads cannot change a bit.
Cost of one linearisation: intervals x substeps x 4 n (2 radius + 2) (n + M) + observations x (n + M)^2 / 2 flops.
"""

import numpy as np
from numba import njit

from assimilearn.emulators.classical.polynomial import MAX_DEGREE, NONE, rk4, tendency
from assimilearn.kernels import FAST

ABSURD = 30.0  # background standard deviations from the background: the trajectory is lost
HALVINGS = 4


@njit(cache=True, nogil=True)
def fit_block(starts, lengths, x, observed, model, background, effort, limit, cost, number, matrix, right):
    """Fit windows one by one; leave their starts in x and the sum of their Schur complements in matrix and right.

    Parameters
    ----------
    starts : ndarray (window,), int64
        Index of the first time of each window.
    lengths : ndarray (stage,), int64
        Numbers of times with which the start is fitted, one after the other, rising (Pires et al. 1996, Tellus 48A,
        96-121: a long window is convex only near its minimum); the last is that of the window.
    x : ndarray (window, site)
        First guesses in, fitted starts out.
    observed : (value, weight, sites, count)
        Values, inverse error standard deviations, sites (time, observation), and the number of observations (time,).
    model : (table, radius, substeps)
    background : (states, std)
        Background of the starts (window, site) and its standard deviation.
    effort : (inner, tolerance)
        Largest number of Gauss-Newton steps of a start, and the predicted decrease of the cost per observation below
        which it is left alone.
    limit : float
        Windows that cost more per observation are left out of matrix and right.
    cost, number : ndarray (window,)
        Written: J at its minimum over the start and the number of observations; the cost is infinite if the trajectory
        was lost.
    matrix, right : ndarray (coefficient, coefficient), (coefficient,)
        Added to.
    """
    n, M = x.shape[1], model[0].shape[0]
    small, full = np.empty((n + 1, n + 1)), np.empty((n + M + 1, n + M + 1))
    for w in range(starts.size):
        first, own = starts[w], (background[0][w], background[1])
        number[w] = observed[3][first : first + lengths[-1]].sum()
        for length in lengths[:-1]:
            fit_start(x[w], first, length, observed, model, own, effort, small)
        cost[w] = fit_start(x[w], first, lengths[-1], observed, model, own, effort, full)
        if number[w] > 0 and cost[w] < limit * number[w]:
            eliminate(full, n, matrix, right)


@njit(cache=True, nogil=True)
def forecast_block(starts, lengths, total, x, observed, model, background, effort, cost, number):
    """Fit the starts to the first observations of each window and forecast the rest.

    Arguments as in :func:`fit_block`, but that the windows have ``total`` times, more than the last of ``lengths``;
    cost and number are those of the observations that were forecast.
    """
    n = x.shape[1]
    G = np.empty((n + 1, n + 1))
    for w in range(starts.size):
        first, own = starts[w], (background[0][w], background[1])
        for length in lengths:
            fit_start(x[w], first, length, observed, model, own, effort, G)
        whole = misfit(x[w], first, total, observed, model, own)
        cost[w] = np.inf
        if whole < np.inf:
            cost[w] = whole - misfit(x[w], first, lengths[-1], observed, model, own)
        number[w] = observed[3][first + lengths[-1] : first + total].sum()


@njit(cache=True, nogil=True)
def fit_start(x, first, length, observed, model, background, effort, G):
    """Gauss-Newton steps of the start x alone; on return G holds the normal equations at x.

    Returns the cost that the step still left over would reach. A step that does not lower the cost is halved. In G (see
    :func:`linearise`) the lower triangle and the diagonal of A become its Cholesky factor.
    """
    n = x.size
    step, trial = np.empty(n), np.empty(n)
    enough = effort[1] * observed[3][first : first + length].sum()
    now = np.inf
    for iteration in range(effort[0] + 1):
        now = linearise(x, first, length, observed, model, background, G)
        if not now < np.inf or not factorise(G, n):
            return np.inf
        gain = newton_step(G, n, step)
        if gain <= enough or iteration == effort[0]:
            return now - gain
        better = False
        for _ in range(HALVINGS):
            for i in range(n):
                trial[i] = x[i] + step[i]
            if misfit(trial, first, length, observed, model, background) < now:
                better = True
                break
            for i in range(n):
                step[i] /= 2
        if not better:
            return now
        for i in range(n):
            x[i] = trial[i]
    return now


@njit(cache=True, nogil=True)
def misfit(x, first, length, observed, model, background):
    """J of one window with the start x; infinite if the trajectory is lost."""
    value, weight, sites, count = observed
    table, radius, substeps = model
    x_b, std = background
    n = x.size
    k, stage, total, z = np.empty(n), np.empty(n), np.empty(n), np.empty(n + 2 * radius)
    state, J = x.copy(), 0.0
    for i in range(n):
        J += ((x[i] - x_b[i]) / std) ** 2
    for t in range(first, first + length):
        if t > first:
            for _ in range(substeps):
                rk4(state, table, radius, 1 / substeps, k, stage, total, z)
            if lost(state, x_b, std):
                return np.inf
        for o in range(count[t]):
            J += ((value[t, o] - state[sites[t, o]]) * weight[t, o]) ** 2
    return J


@njit(cache=True, nogil=True)
def lost(state, x_b, std):
    """Whether a state is not finite or absurdly far from the background."""
    largest = 0.0
    for i in range(state.size):
        largest = max(largest, abs(state[i] - x_b[i]))
        if np.isnan(state[i]):
            largest = np.inf
    return not largest < ABSURD * std


@njit(cache=True, nogil=True)
def linearise(x, first, length, observed, model, background, G):
    """Write the normal equations of one window into the upper triangle of G; return J, infinite if it is lost.

    The last column of G is the right-hand side. Its width says how many tangent vectors are carried: those of the
    start alone, G (site + 1, site + 1), or those of the coefficients too, G (site + coefficient + 1, ...).
    """
    value, weight, sites, count = observed
    table, radius, substeps = model
    x_b, std = background
    n, columns = x.size, G.shape[1] - 1
    V, K = np.zeros((n, columns)), np.empty((n, columns))
    stage, total = np.empty((n, columns)), np.empty((n, columns))
    D, F = np.zeros((whole_blocks(2 * radius + 1), n)), np.empty((table.shape[0], n))
    rows = np.zeros((columns + 1 + (columns + 1) % 2, count[first : first + length].sum()))
    for i in range(n):
        V[i, i] = 1.0
    state, filled = x.copy(), 0
    for t in range(first, first + length):
        if t > first:
            for _ in range(substeps):
                tangent_rk4(state, V, table, radius, 1 / substeps, D, F, K, stage, total)
            if lost(state, x_b, std):
                return np.inf
        for o in range(count[t]):
            i = sites[t, o]
            for q in range(columns):
                rows[q, filled] = V[i, q] * weight[t, o]
            rows[columns, filled] = (value[t, o] - state[i]) * weight[t, o]
            filled += 1
    gram(rows, G)
    J = G[columns, columns]
    for i in range(n):
        J += ((x[i] - x_b[i]) / std) ** 2
        G[i, i] += 1 / std**2
        G[i, columns] -= (x[i] - x_b[i]) / std**2
    return J


@njit(cache=True, nogil=True, fastmath=FAST)
def gram(rows, G):
    """Upper triangle of rows rows' (column, column), two by two so that each number loaded is used twice.

    The number of rows is even; G may be one smaller.
    """
    for a in range(0, rows.shape[0], 2):
        for b in range(a, rows.shape[0], 2):
            u, v, s, t = rows[a], rows[a + 1], rows[b], rows[b + 1]
            us = ut = vs = vt = 0.0
            for r in range(rows.shape[1]):
                us += u[r] * s[r]
                ut += u[r] * t[r]
                vs += v[r] * s[r]
                vt += v[r] * t[r]
            G[a, b] = us
            if b + 1 < G.shape[0]:
                G[a, b + 1], G[a + 1, b + 1] = ut, vt
            if a + 1 < b:
                G[a + 1, b] = vs


@njit(cache=True, nogil=True, fastmath=FAST)
def tangent_rk4(x, V, table, radius, dt, D, F, K, stage, total):
    """One RK4 step of the state x (site,) and of the tangent vectors V (site, column), both in place.

    The columns from the number of sites on, if there are any, are derivatives with respect to the coefficients. D, F,
    K, stage and total are work space; the rows of D beyond the stencil must be zero.
    """
    n = x.size
    k, state, sum_k, z = np.empty(n), x.copy(), np.zeros(n), np.empty(n + 2 * radius)
    flat, slope, flat_stage = V.reshape(-1), K.reshape(-1), stage.reshape(-1)
    flat_total = total.reshape(-1)
    flat_total[:] = 0.0
    for s in range(4):
        weight = 1.0 if s == 0 or s == 3 else 2.0
        ahead = dt if s == 2 else dt / 2
        tendency(state, table, radius, k, z)
        linear_tendency(z, table, n, D[: 2 * radius + 1], F)
        push(V if s == 0 else stage, radius, D, F, K)
        for i in range(n):
            sum_k[i] += weight * k[i]
            state[i] = x[i] + ahead * k[i]
        for q in range(flat.size):
            flat_total[q] += weight * slope[q]
        for q in range(flat.size):
            flat_stage[q] = flat[q] + ahead * slope[q]
    for i in range(n):
        x[i] += dt / 6 * sum_k[i]
    for q in range(flat.size):
        flat[q] += dt / 6 * flat_total[q]


@njit(cache=True, nogil=True, fastmath=FAST)
def linear_tendency(z, table, n, D, F):
    """Derivatives of the tendency of the padded ring z: D (place, site) to the neighbours, F (monomial, site) to c."""
    D[:] = 0.0
    for m in range(table.shape[0]):
        a, b, c, weight = int(table[m, 0]), int(table[m, 1]), int(table[m, 2]), table[m, MAX_DEGREE]
        f = F[m]
        if a == NONE:
            f[:] = 1.0
        elif b == NONE:
            u, du = z[a : a + n], D[a]
            for i in range(n):
                f[i] = u[i]
                du[i] += weight
        elif c == NONE:
            u, v, du, dv = z[a : a + n], z[b : b + n], D[a], D[b]
            for i in range(n):
                f[i] = u[i] * v[i]
                du[i] += weight * v[i]
            for i in range(n):
                dv[i] += weight * u[i]
        else:
            u, v, w, du, dv, dw = z[a : a + n], z[b : b + n], z[c : c + n], D[a], D[b], D[c]
            for i in range(n):
                f[i] = u[i] * v[i] * w[i]
                du[i] += weight * v[i] * w[i]
            for i in range(n):
                dv[i] += weight * u[i] * w[i]
            for i in range(n):
                dw[i] += weight * u[i] * v[i]


@njit(cache=True, nogil=True)
def whole_blocks(places):
    """The number of places, filled up to whole blocks of five (radius 2 is one block)."""
    return 5 * ((places + 4) // 5)


@njit(cache=True, nogil=True, fastmath=FAST)
def push(V, radius, D, F, K):
    """K = (tendency's Jacobian) V, plus F in the columns of the coefficients, if there are any.

    D (place, site) holds zeros beyond the stencil, up to whole blocks of five places.
    """
    n, columns = V.shape
    K[:] = 0.0
    for i in range(n):
        kappa = K[i]
        for p in range(0, D.shape[0], 5):
            j = i + p - radius
            v0, v1, v2, v3, v4 = V[j % n], V[(j + 1) % n], V[(j + 2) % n], V[(j + 3) % n], V[(j + 4) % n]
            d0, d1, d2, d3, d4 = D[p, i], D[p + 1, i], D[p + 2, i], D[p + 3, i], D[p + 4, i]
            for q in range(columns):
                kappa[q] += d0 * v0[q] + d1 * v1[q] + d2 * v2[q] + d3 * v3[q] + d4 * v4[q]
        for m in range(columns - n):
            kappa[n + m] += F[m, i]


@njit(cache=True, nogil=True)
def factorise(G, n):
    """Cholesky factor of the leading n x n block, from its upper into its lower triangle; False if it has none.

    The upper triangle is kept but for the diagonal, which becomes that of the factor.
    """
    for j in range(n):
        for i in range(j, n):
            total = G[j, i]
            for k in range(j):
                total -= G[i, k] * G[j, k]
            if i == j:
                if not total > 0:
                    return False
                G[j, j] = np.sqrt(total)
            else:
                G[i, j] = total / G[j, j]
    return True


@njit(cache=True, nogil=True)
def newton_step(G, n, step):
    """Write A^-1 u into step; returns the decrease of the cost that it promises, u' A^-1 u."""
    end = G.shape[1] - 1
    gain = 0.0
    for i in range(n):
        total = G[i, end]
        for k in range(i):
            total -= G[i, k] * step[k]
        step[i] = total / G[i, i]
        gain += step[i] ** 2
    for i in range(n - 1, -1, -1):
        total = step[i]
        for k in range(i + 1, n):
            total -= G[k, i] * step[k]
        step[i] = total / G[i, i]
    return gain


@njit(cache=True, nogil=True)
def eliminate(G, n, matrix, right):
    """Add the Schur complement of the leading n x n block to matrix and right.

    With A = L L' and the rows W of L^-1 [B u] it is D - W_B' W_B and v - W_B' W_u.
    """
    width = G.shape[1]
    M = width - 1 - n
    W = np.empty((n, M + 1))
    for i in range(n):
        for q in range(M + 1):
            W[i, q] = G[i, n + q]
        for k in range(i):
            for q in range(M + 1):
                W[i, q] -= G[i, k] * W[k, q]
        for q in range(M + 1):
            W[i, q] /= G[i, i]
    for a in range(M):
        for b in range(a, M + 1):
            total = G[n + a, n + b]
            for i in range(n):
                total -= W[i, a] * W[i, b]
            if b == M:
                right[a] += total
            else:
                matrix[a, b] += total
                if b > a:
                    matrix[b, a] += total
