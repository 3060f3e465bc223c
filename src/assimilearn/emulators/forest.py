"""A random forest for the increment of a site, from the states in its stencil.

Breiman (2001), Machine Learning 45, 5-32: trees grown on bootstrap samples, a random subset of the features tried at
every split, their predictions averaged. The forest is grown by scikit-learn and kept as flat arrays; the compiled step
gives what scikit-learn's `predict` gives. Being piecewise constant, a forest has no skill beyond the range of its data,
and its long runs are noisy. Cost of a step: trees x depth look-ups a site and member.
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr
from numba import njit
from pydantic import Field

from assimilearn.emulators.emulator import Fitted
from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.scaling import scaling_of
from assimilearn.emulators.stencil import stencil
from assimilearn.models.protocol import CompiledStep
from assimilearn.settings import Settings

LOCAL = True
COLUMNS = 4  # feature, threshold, left child, value


class ForestSettings(Settings):
    """Random forest on a stencil."""

    method: Literal["forest"] = "forest"
    radius: int = Field(2, ge=0, description="sites of the stencil to either side")
    n_estimators: int = Field(20, ge=1, description="number of trees")
    max_depth: int = Field(12, ge=1, le=40, description="largest depth of a tree")
    min_samples_leaf: int = Field(10, ge=1, description="fewest training samples in a leaf")
    max_features: float = Field(1.0, gt=0, le=1, description="fraction of the stencil tried at every split")
    max_samples: float = Field(0.1, gt=0, le=1, description="fraction of the samples (times x sites) drawn for a tree")


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


def compiled(weights: Mapping[str, np.ndarray], settings: ForestSettings) -> CompiledStep:
    """Parameters: mean, std, increment std, radius, count of trees, depth, the roots, then four numbers a node."""
    head = [float(weights[name]) for name in ("state_mean", "state_std", "increment_std")]
    counts = [settings.radius, weights["root"].size, int(weights["depth"])]
    table = np.column_stack([weights[name] for name in ("feature", "threshold", "child", "value")])
    return CompiledStep(forest_step, np.concatenate([head, counts, weights["root"], table.ravel()]))


@njit(cache=True)
def forest_step(E, parameters):
    """Advance every row of E (member, site) by the forest, in place.

    All sites walk down a tree together, so that their look-ups do not wait for one another. A site in its leaf stays.
    """
    mean, std, scale = parameters[0], parameters[1], parameters[2]
    radius, trees, depth = int(parameters[3]), int(parameters[4]), int(parameters[5])
    n = E.shape[1]
    z, total, node = np.empty(n + 2 * radius, np.float32), np.empty(n), np.empty(n, np.int64)
    nodes = parameters[6 + trees :]
    for member in range(E.shape[0]):
        x = E[member]
        for i in range(n + 2 * radius):
            z[i] = (x[(i - radius) % n] - mean) / std  # float32, as scikit-learn compares
        total[:] = 0.0
        for tree in range(trees):
            node[:] = int(parameters[6 + tree])
            for _ in range(depth):
                for i in range(n):
                    at = COLUMNS * node[i]
                    node[i] = int(nodes[at + 2]) + (z[i + int(nodes[at])] > nodes[at + 1])
            for i in range(n):
                total[i] += nodes[COLUMNS * node[i] + 3]
        for i in range(n):
            x[i] += scale * (total[i] / trees)
