"""Local serial ensemble adjustment Kalman filter: each observation moves only the sites around it.

Anderson (2001), Mon. Wea. Rev. 129, 2884-2903; least-squares form of Anderson (2003), Mon. Wea. Rev. 131, 634-642: the
ensemble at the observed site is shifted and contracted exactly, and the change is regressed on the sites within reach,
times the taper. For a Gaussian likelihood this is Potter's update (:mod:`assimilearn.assimilation.algebra.serial`) with
a tapered gain, and without a taper it is exactly that. Observations enter in the order of the file.
Cost: 4 N m flops for each observation with m sites in the tiles in its reach, and a search of log n: linear in n.
"""

from typing import ClassVar, Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.algebra.small import centre
from assimilearn.assimilation.cycling.filtering import ensemble_filter, run_filter
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.local.domain import domain_of, labelled, opened
from assimilearn.assimilation.local.tapers import between_fields, squared_distances, taper_squares
from assimilearn.assimilation.local.tiles import NEXT, TILE, ends_of_tiles, gap_to_box, observations_by_tile
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import INFLATION, FilterSettings, Inflation, LocalSettings
from assimilearn.kernels import FAST

LANES = 16  # sites of a tile: in much larger ones most would be beyond the reach


class EAKFSettings(FilterSettings, LocalSettings):
    """Local serial ensemble adjustment Kalman filter."""

    any_operator: ClassVar[bool] = True

    method: Literal["eakf"] = "eakf"
    members: int = Field(10, ge=2, description="size N of the ensemble")
    inflation: Inflation = Field(1.07, description=INFLATION)  # type: ignore[assignment]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def eakf_update(E, Y, y, variance, sites, parameters, noise):
    """One analysis, in place on E; parameters are those of :mod:`assimilearn.assimilation.local.domain`."""
    domain, mean, N = opened(parameters), centre(E), E.shape[0]
    first = ends_of_tiles(domain.nodes)
    at_sites = labelled(domain, domain.sites, domain.site_field)
    at_places = labelled(domain, domain.places, domain.place_field)
    blocks, positions, first_block, place = blocked(E, mean, domain.order, at_sites, first)
    observed, gain, factor = np.empty(N), np.empty(blocks.shape[2]), np.empty(blocks.shape[2])
    for o in range(y.size):
        block, lane = place[sites[o], 0], place[sites[o], 1]
        for j in range(N):
            observed[j] = blocks[block, j, lane]
        d = y[o] - blocks[block, N, lane]
        here = at_places[sites[o]]
        regress(domain, domain.nodes, here, blocks, positions, first_block, observed, d, variance[o], factor, gain)
    members_of(blocks, place, mean, E)


@njit(cache=True, fastmath=FAST, error_model="numpy")
def eakf_observed_update(E, Y, y, variance, sites, parameters, noise):
    """The same for observations that are not the values of sites; Y is overwritten.

    What the later observations are expected to be is updated too, tapered by the distance between their places.
    """
    domain, mean, predicted, N = opened(parameters), centre(E), centre(Y), E.shape[0]
    nodes, order, first = observations_by_tile(domain, sites)
    at_sites = labelled(domain, domain.sites, domain.site_field)
    at_places = labelled(domain, domain.places, domain.place_field)
    where = np.empty((y.size, at_places.shape[1]))
    for o in range(y.size):
        where[o] = at_places[sites[o]]
    seen, seen_positions, first_seen, seen_place = blocked(Y, predicted, order, where, first)
    first = ends_of_tiles(domain.nodes)
    blocks, positions, first_block, place = blocked(E, mean, domain.order, at_sites, first)
    lanes = max(blocks.shape[2], seen.shape[2])
    observed, gain, factor = np.empty(N), np.empty(lanes), np.empty(lanes)
    for o in range(y.size):
        block, lane = seen_place[o, 0], seen_place[o, 1]
        for j in range(N):
            observed[j] = seen[block, j, lane]
        d = y[o] - seen[block, N, lane]
        regress(domain, nodes, where[o], blocks, positions, first_block, observed, d, variance[o], factor, gain)
        regress(domain, nodes, where[o], seen, seen_positions, first_seen, observed, d, variance[o], factor, gain)
    members_of(blocks, place, mean, E)


@njit(cache=True, error_model="numpy")
def blocked(A, mean, order, where, first):
    """Columns of A (member, column) tile by tile, in blocks of ``LANES`` at most: loops then have few, even lanes.

    Parameters
    ----------
    A, mean : ndarray (member, column) and (column,)
    order : ndarray (column,)
        Columns, tile after tile.
    where : ndarray (column, axis)
        Their positions.
    first : ndarray (tile + 1,), int64
        Where those of each tile begin in the order.

    Returns
    -------
    blocks : ndarray (block, member + 1, lane)
        Anomalies, and the mean as the last row; 0 in lanes that are not needed.
    positions : ndarray (block, axis, lane)
    first_block : ndarray (tile + 1,), int64
    place : ndarray (column, 2), int64
        Block and lane of each column.
    """
    N, tiles, axes = A.shape[0], first.size - 1, where.shape[1]
    first_block = np.zeros(tiles + 1, np.int64)
    for t in range(tiles):
        first_block[t + 1] = first_block[t] + (first[t + 1] - first[t] + LANES - 1) // LANES
    blocks, positions = np.zeros((first_block[tiles], N + 1, LANES)), np.zeros((first_block[tiles], axes, LANES))
    place = np.empty((order.size, 2), np.int64)
    for t in range(tiles):
        for k in range(first[t], first[t + 1]):
            column, block, lane = int(order[k]), first_block[t] + (k - first[t]) // LANES, (k - first[t]) % LANES
            place[column, 0], place[column, 1] = block, lane
            blocks[block, N, lane] = mean[column]
            for j in range(N):
                blocks[block, j, lane] = A[j, column]
            for axis in range(axes):
                positions[block, axis, lane] = where[column, axis]
    return blocks, positions, first_block, place


@njit(cache=True, error_model="numpy")
def members_of(blocks, place, mean, E):
    """Write the sites of the blocks to E (member, site + memory), whose memory is as it was but for its mean."""
    N, n = E.shape[0], place.shape[0]
    for i in range(n):
        block, lane = place[i, 0], place[i, 1]
        for j in range(N):
            E[j, i] = blocks[block, N, lane] + blocks[block, j, lane]
    for j in range(N):
        for i in range(n, E.shape[1]):
            E[j, i] += mean[i]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def regress(domain, nodes, here, blocks, positions, first_block, observed, innovation, variance, factor, gain):
    """Update the blocks in reach of an observation ``here (axis,)``, in place.

    Parameters
    ----------
    blocks, positions, first_block
        From :func:`blocked`.
    observed : ndarray (member,)
        Anomalies of what is observed.
    innovation, variance : float
        Of the observation, and its error variance.
    factor, gain : ndarray (lane,)
        Work space.
    """
    N, reach, square, t = observed.size, domain.reach**2, 0.0, 0
    for j in range(N):
        square += observed[j] ** 2
    total = square / (N - 1) + variance
    contraction, scale = 1 / (1 + np.sqrt(variance / total)), 1 / ((N - 1) * total)
    while t < nodes.shape[0]:
        if gap_to_box(nodes[t], here, domain.periods) >= reach:
            t = int(nodes[t, NEXT])
            continue
        tile = int(nodes[t, TILE])
        for block in range(first_block[tile - 1] if tile > 0 else 0, first_block[tile] if tile > 0 else 0):
            squared_distances(positions[block], here, domain.periods, factor)
            largest = taper_squares(factor, domain.taper, domain.radius)
            if domain.factors.size > 0:
                last = here.size - 1  # of each position: the number of a field
                largest = between_fields(domain.factors, here[last], positions[block][last], factor)
            if largest > 0:
                update_block(blocks[block], observed, scale, innovation, contraction, factor, gain)
        t += 1


@njit(cache=True, fastmath=FAST, error_model="numpy")
def update_block(block, observed, scale, innovation, contraction, factor, gain):
    """Regress the change of what is observed on one block (member + 1, lane), in place."""
    N, lanes = observed.size, block.shape[1]
    for lane in range(lanes):
        gain[lane] = 0.0
    for j in range(N):
        for lane in range(lanes):
            gain[lane] += observed[j] * block[j, lane]
    for lane in range(lanes):
        gain[lane] *= factor[lane] * scale
        block[N, lane] += gain[lane] * innovation
    for j in range(N):
        h = contraction * observed[j]
        for lane in range(lanes):
            block[j, lane] -= h * gain[lane]


def run(problem: Problem, settings: EAKFSettings, rng: np.random.Generator) -> Record:
    """Cycle the ensemble."""
    domain = domain_of(problem, settings, "eakf", LANES)
    update = eakf_update if problem.observation.direct else eakf_observed_update
    return run_filter(problem, ensemble_filter(update, settings, domain), settings, rng)
