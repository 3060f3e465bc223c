"""Tiles of near sites, by halving across the widest axis, and the observations in reach of each of them.

The tree of halves is kept: going down it, the observations in reach of a box are sought among those in reach of the box
around it. Cost: a few p log n comparisons for p observations.
"""

import numpy as np
from numba import njit

from assimilearn.kernels import FAST

MOST = 96  # sites of a tile: enough for vector units and matrix products, few enough to stay in the cache
BEGIN, END, TILE, DEPTH, NEXT, BOX = range(6)
"""Columns of a node: its sites in the order of the tiles; 1 + the number of a tile, 0 of a node that is halved; depth;
the node that follows those below it; from BOX on the lowest coordinates, then the highest."""


def tree_of(positions: np.ndarray, most: int = MOST) -> tuple[np.ndarray, np.ndarray]:
    """Halve until no part has more than ``most`` sites.

    Returns
    -------
    order : ndarray (site,), int64
        Tile after tile.
    nodes : ndarray (node, 5 + 2 axes)
        Each node before its two halves.
    """
    order, nodes, count = np.arange(len(positions)), [], 0
    work = [(0, len(positions), 0)]
    while work:
        begin, end, depth = work.pop()
        part = order[begin:end]
        low, high = positions[part].min(axis=0), positions[part].max(axis=0)
        tiles = -(-part.size // most)
        count += tiles == 1
        nodes.append(np.concatenate([[begin, end, count if tiles == 1 else 0, depth, 0], low, high]))
        if tiles > 1:
            axis = int((high - low).argmax())
            order[begin:end] = part[np.argsort(positions[part, axis], kind="stable")]
            middle = begin + part.size * (tiles // 2) // tiles
            work += [(middle, end, depth + 1), (begin, middle, depth + 1)]
        else:
            order[begin:end] = np.sort(part)
    tree = np.array(nodes)
    waiting: list[int] = []
    for t in range(len(tree)):
        while waiting and tree[waiting[-1], DEPTH] >= tree[t, DEPTH]:
            tree[waiting.pop(), NEXT] = t
        waiting.append(t)
    tree[waiting, NEXT] = len(tree)
    return order, tree


@njit(cache=True, fastmath=FAST, error_model="numpy")
def gap_to_box(node, place, periods):
    """Squared distance of ``place (axis,)`` from the box of a node."""
    axes, square = periods.size, 0.0
    for axis in range(axes):
        low, high, x, period = node[BOX + axis], node[BOX + axes + axis], place[axis], periods[axis]
        gap = max(low - x, x - high, 0.0)
        if period > 0:
            x += period if x < low else -period
            gap = min(gap, max(low - x, x - high, 0.0))
        square += gap * gap
    return square


@njit(cache=True, error_model="numpy")
def room_for(array, count):
    """``array`` with room for ``count`` entries or more."""
    if count <= array.size:
        return array
    larger = np.empty(2 * count, array.dtype)
    larger[: array.size] = array
    return larger


@njit(cache=True, error_model="numpy")
def observations_near_tiles(domain, rows):
    """The observations in reach of each tile; they are at the places with the numbers ``rows (observation,)``.

    Returns
    -------
    near : ndarray of int64
        Numbers of observations, tile after tile, rising within each.
    first : ndarray (tile + 1,), int64
        Where those of each tile begin.
    tiles : ndarray (tile + 1,), int64
        Where the sites of each tile begin in the order.
    """
    nodes, reach = domain.nodes, domain.reach**2
    count = deepest = 0
    for t in range(nodes.shape[0]):
        count += int(nodes[t, TILE] != 0)
        deepest = max(deepest, int(nodes[t, DEPTH]))
    first, tiles = np.zeros(count + 1, np.int64), np.zeros(count + 1, np.int64)
    near, found = np.empty(4 * rows.size + 64, np.int64), np.empty(4 * rows.size + 64, np.int64)
    begins = np.zeros(deepest + 3, np.int64)  # where the observations known at each depth begin in ``found``
    for o in range(rows.size):
        found[o] = o
    begins[1], tile = rows.size, 0
    for t in range(nodes.shape[0]):
        depth, total = int(nodes[t, DEPTH]), 0
        begin, end = begins[depth], begins[depth + 1]
        found = room_for(found, 2 * end - begin)
        for k in range(begin, end):
            if gap_to_box(nodes[t], domain.places[rows[found[k]]], domain.periods) < reach:
                found[end + total] = found[k]
                total += 1
        begins[depth + 2] = end + total
        if nodes[t, TILE] != 0:
            near = room_for(near, first[tile] + total)
            near[first[tile] : first[tile] + total] = found[end : end + total]
            first[tile + 1], tiles[tile + 1] = first[tile] + total, int(nodes[t, END])
            tile += 1
    return near[: first[tile]], first, tiles


@njit(cache=True, error_model="numpy")
def observations_by_tile(domain, rows):
    """Give every observation to a tile that is near, and let the boxes grow around those that they are given.

    Returns
    -------
    nodes : ndarray
        Those of the domain with larger boxes.
    order : ndarray (observation,), int64
        Observations, tile after tile.
    first : ndarray (tile + 1,), int64
        Where those of each tile begin.
    """
    nodes, axes = domain.nodes.copy(), domain.periods.size
    tile_of, first = np.empty(rows.size, np.int64), np.zeros(nodes.shape[0] + 1, np.int64)
    for o in range(rows.size):
        here, t = domain.places[rows[o]], 0
        while True:
            for axis in range(axes):
                nodes[t, BOX + axis] = min(nodes[t, BOX + axis], here[axis])
                nodes[t, BOX + axes + axis] = max(nodes[t, BOX + axes + axis], here[axis])
            if nodes[t, TILE] != 0:
                break
            one, other = t + 1, int(nodes[t + 1, NEXT])
            nearer = gap_to_box(nodes[one], here, domain.periods) <= gap_to_box(nodes[other], here, domain.periods)
            t = one if nearer else other
        tile_of[o] = int(nodes[t, TILE]) - 1
        first[tile_of[o] + 1] += 1
    for t in range(nodes.shape[0]):
        first[t + 1] += first[t]
    order, free = np.empty(rows.size, np.int64), first.copy()
    for o in range(rows.size):
        order[free[tile_of[o]]] = o
        free[tile_of[o]] += 1
    return nodes, order, first


@njit(cache=True, error_model="numpy")
def ends_of_tiles(nodes):
    """Where the sites of each tile begin in the order, (tile + 1,), int64."""
    first, count = np.zeros(nodes.shape[0] + 1, np.int64), 0
    for t in range(nodes.shape[0]):
        if nodes[t, TILE] != 0:
            count += 1
            first[count] = int(nodes[t, END])
    return first[: count + 1]
