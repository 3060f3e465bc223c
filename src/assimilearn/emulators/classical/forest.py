"""A random forest for the increment of a site, from the states in its stencil.

Breiman (2001), Machine Learning 45, 5-32: trees grown on bootstrap samples, a random subset of the features tried at
every split, their predictions averaged. The forest is grown by scikit-learn and kept as flat arrays; the compiled step
gives what scikit-learn's `predict` gives. Being piecewise constant, a forest has no skill beyond the range of its data,
and its long runs are noisy. Cost of a step: trees x depth look-ups a site and member.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import xarray as xr
from numba import njit
from pydantic import Field

from assimilearn.emulators.classical.stencil import check_radius, stencil
from assimilearn.emulators.emulator import Fitted
from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.scaling import SHAPES, scaling_of, scaling_problems
from assimilearn.emulators.settings import EmulatorSettings
from assimilearn.emulators.weights import Shape, all_within
from assimilearn.models.protocol import CompiledStep

LOCAL = True
COLUMNS = 4  # feature, threshold, left child, value
INFINITE = ("threshold",)


class ForestSettings(EmulatorSettings):
    """Random forest on a stencil."""

    homogeneous: ClassVar[bool] = True

    method: Literal["forest"] = "forest"
    radius: int = Field(2, ge=0, le=100, description="sites of the stencil to either side")
    n_estimators: int = Field(20, ge=1, description="number of trees")
    max_depth: int = Field(14, ge=1, le=40, description="largest depth of a tree")
    min_samples_leaf: int = Field(3, ge=1, description="fewest training samples in a leaf")
    max_features: float = Field(1.0, gt=0, le=1, description="fraction of the stencil tried at every split")
    max_samples: float = Field(0.07, gt=0, le=1, description="fraction of the samples (times x sites) drawn for a tree")


def fit(training: Windows, validation: Windows, settings: ForestSettings, rng: np.random.Generator) -> Fitted:
    """Grow the forest on one thread, so that the result is the same on any machine."""
    from sklearn.ensemble import RandomForestRegressor

    scaling = scaling_of(training)
    rows = stencil(scaling.standardise(training.inputs), settings.radius).reshape(-1, 2 * settings.radius + 1)
    increments = ((training.targets - training.inputs) / scaling.increment_std).reshape(-1)
    forest = RandomForestRegressor(
        **settings.model_dump(exclude={"method", "radius"}), n_jobs=1, random_state=int(rng.integers(2**31))
    )
    forest.fit(rows.astype(np.float32), increments, sample_weight=training.weights[:, 0].reshape(-1))
    return Fitted({**scaling.arrays(), **flat(forest)})


def flat(forest: Any) -> dict[str, xr.DataArray]:
    """A fitted scikit-learn forest as arrays: the nodes of all trees one after the other, brothers side by side."""
    tables, roots, start = [], [], 0
    for tree in forest.estimators_:
        tables.append(_ordered(tree.tree_, start))
        roots.append(start)
        start += len(tables[-1])
    table = np.concatenate(tables)
    columns = {
        "feature": (table[:, 0].astype(np.int32), "place in the stencil on which the node splits, 0 at a leaf"),
        "threshold": (table[:, 1], "go to the left child up to this standardised value; infinite at a leaf"),
        "child": (table[:, 2].astype(np.int32), "left child, the right one comes next; a leaf points to itself"),
        "value": (table[:, 3], "mean standardised increment in the node"),
    }
    arrays = {name: xr.DataArray(v, dims="node", attrs={"long_name": text}) for name, (v, text) in columns.items()}
    depth = max(tree.tree_.max_depth for tree in forest.estimators_)
    arrays["root"] = xr.DataArray(np.array(roots, dtype=np.int32), dims="tree", attrs={"long_name": "root node"})
    arrays["depth"] = xr.DataArray(np.int32(depth), attrs={"long_name": "depth of the deepest tree"})
    return arrays


def _ordered(tree: Any, start: int) -> np.ndarray:
    """Nodes (node, column) of one tree, breadth first, numbered from ``start``."""
    order = [0]
    for node in order:  # the list grows while it is walked
        if tree.children_left[node] >= 0:
            order += [tree.children_left[node], tree.children_right[node]]
    place = {node: start + k for k, node in enumerate(order)}
    table = np.empty((len(order), COLUMNS))
    for k, node in enumerate(order):
        value = tree.value[node, 0, 0]
        if tree.children_left[node] >= 0:
            table[k] = tree.feature[node], tree.threshold[node], place[tree.children_left[node]], value
        else:
            table[k] = 0, np.inf, start + k, value
    return table


def shapes(settings: ForestSettings, size: int) -> dict[str, Shape]:
    """The scaling, a root for each tree, the depth, and as many nodes as there are."""
    check_radius(settings.radius, size)
    of_nodes: dict[str, Shape] = {name: ("node",) for name in ("feature", "threshold", "child", "value")}
    return {**SHAPES, **of_nodes, "root": (settings.n_estimators,), "depth": ()}


def problems(weights: Mapping[str, np.ndarray], settings: ForestSettings) -> list[str]:
    """Indices that lead out of the stencil, out of the nodes, or back up the tree; leaves that can be left."""
    child, node = weights["child"], np.arange(weights["child"].size)
    last = node.size - 1
    split = child != node
    right = {
        "threshold": bool((weights["threshold"][~split] == np.inf).all()),
        "feature": all_within(weights["feature"], 0, 2 * settings.radius),
        "root": all_within(weights["root"], 0, last),
        "depth": all_within(weights["depth"], 0, settings.max_depth),
        "child": all_within(child, 0, last) and all_within(child[split], 1, last - 1) and (child >= node).all(),
    }
    wrong = [
        f"weight_{name} is not that of a forest of its settings" for name, is_right in right.items() if not is_right
    ]
    return scaling_problems(weights) + wrong


def compiled(weights: Mapping[str, np.ndarray], settings: ForestSettings) -> CompiledStep:
    """Parameters: mean, std, increment std, radius, counts of trees and nodes, depth, roots, values, then the nodes.

    A node is its threshold and the bits of an integer, child x 256 + feature: small enough to stay in the cache.
    """
    head = [float(weights[name]) for name in ("state_mean", "state_std", "increment_std")]
    counts = [settings.radius, weights["root"].size, weights["value"].size, int(weights["depth"])]
    links = weights["child"].astype(np.int64) * 256 + weights["feature"]
    nodes = np.column_stack([weights["threshold"], links.view(np.float64)])
    return CompiledStep(forest_step, np.concatenate([head, counts, weights["root"], weights["value"], nodes.ravel()]))


@njit(cache=True, nogil=True)
def forest_step(E, parameters):
    """Advance every row of E (member, site) by the forest, in place.

    A tree is walked by all members and sites before the next one: its nodes stay in the cache, and look-ups do not wait
    for one another. A site that has reached its leaf stays there.
    """
    mean, std, scale, radius = parameters[0], parameters[1], parameters[2], int(parameters[3])
    trees, count, depth = int(parameters[4]), int(parameters[5]), int(parameters[6])
    roots, values = parameters[7 : 7 + trees], parameters[7 + trees : 7 + trees + count]
    nodes = parameters[7 + trees + count :]
    members, n = E.shape
    z, total, at = np.empty((members, n + 2 * radius), np.float32), np.zeros((members, n)), np.empty(n, np.uint64)
    for member in range(members):
        for i in range(n + 2 * radius):
            z[member, i] = (E[member, (i - radius) % n] - mean) / std  # float32, as scikit-learn compares
    for tree in range(trees):
        for member in range(members):
            _walk(z[member], nodes, np.uint64(roots[tree]), depth, at)
            for i in range(n):
                total[member, i] += values[at[i]]
    for member in range(members):
        for i in range(n):
            E[member, i] += scale * (total[member, i] / trees)


@njit(cache=True)
def _walk(z, nodes, root, depth, at):
    """Write into at (site,) the leaf of every site of the padded ring z; indices are unsigned, so none wraps."""
    links = nodes.view(np.uint64)
    one, byte, mask = np.uint64(1), np.uint64(8), np.uint64(255)
    at[:] = root
    for _ in range(depth):
        for i in range(at.size):
            node = at[i] << one
            link = links[node | one]
            at[i] = (link >> byte) + np.uint64(z[np.uint64(i) + (link & mask)] > nodes[node])
