"""Regression trees for the increment of one interval: a single tree, a random forest, gradient boosting.

Breiman, Friedman, Olshen & Stone (1984), Classification and Regression Trees, Wadsworth. Breiman (2001), Machine
Learning 45, 5-32: trees grown on bootstrap samples, a random subset of the inputs tried at every split, their
predictions averaged.
Friedman (2001), Ann. Stat. 29, 1189-1232: trees grown one after the other, each on what those before it leave.

Trees are grown by scikit-learn (boosting by its histograms) and kept as flat arrays; the compiled step gives what
scikit-learn's `predict` gives. Where one function gives several numbers, each has trees of its own. Being piecewise
constant, trees have no skill beyond the range of their data, and their long runs are noisy.

Cost of a step: trees x depth look-ups a site and member.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import xarray as xr
from numba import njit
from pydantic import Field

from assimilearn.emulators.emulator import Fitted
from assimilearn.emulators.fields import SCALING_SHAPES, field_scaling, field_scaling_from, scaling_problems, view
from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.settings import EmulatorSettings
from assimilearn.emulators.weights import Shape, all_within
from assimilearn.errors import FileError
from assimilearn.models.geometry import Geometry
from assimilearn.models.protocol import CompiledStep

LOCAL = True
NOT_OF_TREES = {"method", "radius", "training_times"}  # settings that scikit-learn does not have
INFINITE = ("threshold",)
DEEPEST = 64  # levels


class TreesSettings(EmulatorSettings):
    """What all families of trees share."""

    averaged: ClassVar[bool] = True  # over the trees; else they are added

    radius: int | None = Field(
        2,
        ge=0,
        le=100,
        description="grid points of the stencil to either side; null, or without space: the whole state",
    )

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError where one function cannot serve all points."""
        view(geometry, self.radius)

    def grown(self, rows: np.ndarray, target: np.ndarray, weights: np.ndarray, seed: int) -> "Grown":
        """Trees for one output from ``rows (row, input)``, ``target`` and ``weights (row,)``."""
        raise NotImplementedError


class TreeSettings(TreesSettings):
    """One regression tree."""

    method: Literal["tree"] = "tree"
    max_depth: int = Field(10, ge=1, le=40, description="largest depth of the tree")
    min_samples_split: int = Field(2, ge=2, description="fewest training samples in a node that is split")
    min_samples_leaf: int = Field(1, ge=1, description="fewest training samples in a leaf")

    def grown(self, rows: np.ndarray, target: np.ndarray, weights: np.ndarray, seed: int) -> "Grown":
        """One tree on all samples."""
        from sklearn.tree import DecisionTreeRegressor

        tree = DecisionTreeRegressor(**self.model_dump(exclude=NOT_OF_TREES), random_state=seed)
        tree.fit(rows, target, sample_weight=weights)
        return Grown([of_scikit_learn(tree)], 0.0, tree.feature_importances_)


class ForestSettings(TreesSettings):
    """Random forest."""

    method: Literal["forest"] = "forest"
    n_estimators: int = Field(20, ge=1, description="number of trees")
    max_depth: int = Field(14, ge=1, le=40, description="largest depth of a tree")
    min_samples_split: int = Field(2, ge=2, description="fewest training samples in a node that is split")
    min_samples_leaf: int = Field(3, ge=1, description="fewest training samples in a leaf")
    max_features: float = Field(1.0, gt=0, le=1, description="fraction of the inputs tried at every split")
    max_samples: float = Field(
        0.07, gt=0, le=1, description="fraction of the samples (times x points) drawn for a tree"
    )

    def grown(self, rows: np.ndarray, target: np.ndarray, weights: np.ndarray, seed: int) -> "Grown":
        """Trees on bootstrap samples; on one thread, so that they are the same on any machine."""
        from sklearn.ensemble import RandomForestRegressor

        forest = RandomForestRegressor(**self.model_dump(exclude=NOT_OF_TREES), n_jobs=1, random_state=seed)
        forest.fit(rows, target, sample_weight=weights)
        return Grown([of_scikit_learn(tree) for tree in forest.estimators_], 0.0, forest.feature_importances_)


class BoostingSettings(TreesSettings):
    """Gradient boosting."""

    averaged: ClassVar[bool] = False

    method: Literal["boosting"] = "boosting"
    n_estimators: int = Field(100, ge=1, description="number of trees, one after the other")
    learning_rate: float = Field(0.1, gt=0, le=1, description="factor on what each tree adds")
    max_leaf_nodes: int = Field(31, ge=2, le=1000, description="most leaves of a tree")
    max_depth: int | None = Field(None, ge=1, le=40, description="largest depth of a tree; null: any")
    min_samples_leaf: int = Field(20, ge=1, description="fewest training samples in a leaf")
    l2_regularization: float = Field(0.0, ge=0, description="penalty on the values of leaves")

    def grown(self, rows: np.ndarray, target: np.ndarray, weights: np.ndarray, seed: int) -> "Grown":
        """Trees on what those before leave, by histograms of 255 bins."""
        from sklearn.ensemble import HistGradientBoostingRegressor
        from threadpoolctl import threadpool_limits

        given = self.model_dump(exclude=NOT_OF_TREES | {"n_estimators"})
        boosted = HistGradientBoostingRegressor(
            **given, max_iter=self.n_estimators, early_stopping=False, random_state=seed
        )
        with threadpool_limits(1):
            boosted.fit(rows, target, sample_weight=weights)
        nodes = [predictor.nodes for (predictor,) in boosted._predictors]
        gains = np.zeros(rows.shape[1])
        for of_one in nodes:
            split = ~of_one["is_leaf"].astype(bool)
            np.add.at(gains, of_one["feature_idx"][split], of_one["gain"][split])
        base = float(np.ravel(boosted._baseline_prediction)[0])
        return Grown([of_histograms(of_one) for of_one in nodes], base, gains / (gains.sum() or 1.0))


class Nodes(NamedTuple):
    """The nodes of one tree, root first, each array (node,); the left child of a leaf is -1."""

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray


class Grown(NamedTuple):
    """Trees for one output.

    Attributes
    ----------
    trees : list of Nodes
    base : float
        What their mean or sum is added to.
    importance : ndarray (input,)
        Share of each input in what the splits explain.
    """

    trees: list[Nodes]
    base: float
    importance: np.ndarray


def of_scikit_learn(estimator: Any) -> Nodes:
    """A fitted DecisionTreeRegressor."""
    tree = estimator.tree_
    return Nodes(tree.feature, tree.threshold, tree.children_left, tree.children_right, tree.value[:, 0, 0])


def of_histograms(nodes: np.ndarray) -> Nodes:
    """A tree of a fitted HistGradientBoostingRegressor."""
    leaf = nodes["is_leaf"].astype(bool)
    left = np.where(leaf, -1, nodes["left"].astype(np.int64))
    right = nodes["right"].astype(np.int64)
    return Nodes(nodes["feature_idx"].astype(np.int64), nodes["num_threshold"], left, right, nodes["value"])


def fit(training: Windows, validation: Windows, settings: TreesSettings, rng: np.random.Generator) -> Fitted:
    """Grow the trees of every output."""
    scaling, seen = field_scaling(training), view(training.geometry, settings.radius)
    rows = seen.rows(scaling.standardised(training.inputs)).astype(np.float32)
    increments = seen.targets(scaling.increments(training.targets - training.inputs))
    weights = seen.targets(training.weights[:, 0])
    seed = int(rng.integers(2**31))
    grown = [settings.grown(rows, increments[:, k], weights[:, k], seed) for k in range(increments.shape[1])]
    return Fitted({**scaling.arrays(), **flat(grown)})


def flat(grown: Iterable[Grown]) -> dict[str, xr.DataArray]:
    """Trees as arrays: the nodes of all trees one after the other, brothers side by side."""
    tables, roots, start = [], [], 0
    grown = list(grown)
    for nodes in (tree for of_output in grown for tree in of_output.trees):
        tables.append(_ordered(nodes, start))
        roots.append(start)
        start += len(tables[-1])
    table = np.concatenate(tables)
    columns = {
        "feature": (table[:, 0].astype(np.int32), "input on which the node splits, 0 at a leaf"),
        "threshold": (table[:, 1], "go to the left child up to this standardised value; infinite at a leaf"),
        "child": (table[:, 2].astype(np.int32), "left child, the right one comes next; a leaf points to itself"),
        "value": (table[:, 3], "mean standardised increment in the node, or what it adds"),
    }
    arrays = {n: xr.DataArray(v, dims="node", attrs={"long_name": text}) for n, (v, text) in columns.items()}
    texts = {
        "root": "first node of the tree; the trees of one output stand side by side",
        "depth": "largest depth of a tree",
        "base": "what the mean or sum of the trees is added to",
        "importance": "share of the input in what the splits explain",
    }
    arrays["root"] = xr.DataArray(np.array(roots, dtype=np.int32), dims="tree")
    arrays["depth"] = xr.DataArray(np.int32(max(_depth(n) for of_output in grown for n in of_output.trees)))
    arrays["base"] = xr.DataArray(np.array([of_output.base for of_output in grown]), dims="output")
    arrays["importance"] = xr.DataArray(
        np.array([of_output.importance for of_output in grown]), dims=("output", "input")
    )
    return {n: array.assign_attrs(long_name=texts[n]) if n in texts else array for n, array in arrays.items()}


def _levels(nodes: Nodes) -> list[list[int]]:
    """Nodes level by level, the two children of a node side by side."""
    levels = [[0]]
    while levels[-1]:
        levels.append([c for n in levels[-1] if nodes.left[n] >= 0 for c in (int(nodes.left[n]), int(nodes.right[n]))])
    return levels[:-1]


def _depth(nodes: Nodes) -> int:
    return len(_levels(nodes)) - 1


def _ordered(nodes: Nodes, start: int) -> np.ndarray:
    """Table (node, 4) of feature, threshold, left child and value, level by level."""
    order = [node for level in _levels(nodes) for node in level]
    place = {node: start + k for k, node in enumerate(order)}
    table = np.empty((len(order), 4))
    for k, node in enumerate(order):
        if nodes.left[node] >= 0:
            table[k] = nodes.feature[node], nodes.threshold[node], place[int(nodes.left[node])], nodes.value[node]
        else:
            table[k] = 0, np.inf, start + k, nodes.value[node]
    return table


def shapes(settings: TreesSettings, size: int) -> dict[str, Shape]:
    """The scaling, a root for each tree, the depth, and as many nodes as there are."""
    of_nodes: dict[str, Shape] = {name: ("node",) for name in ("feature", "threshold", "child", "value")}
    of_outputs: dict[str, Shape] = {"base": ("output",), "importance": ("output", "input")}
    return {**SCALING_SHAPES, **of_nodes, **of_outputs, "root": ("tree",), "depth": ()}


def problems(weights: Mapping[str, np.ndarray], settings: TreesSettings) -> list[str]:
    """Indices that lead out of the nodes, or back up the tree; leaves that can be left."""
    child, node = weights["child"], np.arange(weights["child"].size)
    last = node.size - 1
    split = child != node
    right = {
        "threshold": bool((weights["threshold"][~split] == np.inf).all()),
        "feature": all_within(weights["feature"], 0, weights["importance"].shape[1] - 1),
        "root": weights["root"].size > 0 and all_within(weights["root"], 0, last),
        "depth": all_within(weights["depth"], 0, getattr(settings, "max_depth", None) or DEEPEST),
        "child": all_within(child, 0, last) and all_within(child[split], 1, last - 1) and (child >= node).all(),
    }
    wrong = [f"weight_{name} is not that of trees of its settings" for name, is_right in right.items() if not is_right]
    return scaling_problems(weights) + wrong


def compiled(weights: Mapping[str, np.ndarray], settings: TreesSettings, geometry: Geometry) -> CompiledStep:
    """Parameters: counts, numbers of each input and output, sites, roots, values, then the nodes.

    A node is its threshold and the bits of an integer, child x 65536 + feature: small enough to stay in the cache.

    Raises
    ------
    FileError
        If the trees are of other inputs or outputs than those of this geometry.
    """
    settings.refuse_unlike(geometry)
    seen, scaling = view(geometry, settings.radius), field_scaling_from(weights, geometry)
    (points, inputs), outputs = seen.inputs.shape, seen.outputs.shape[1]
    trees, odd = divmod(weights["root"].size, outputs)
    if (
        odd
        or trees != getattr(settings, "n_estimators", 1)
        or weights["base"].size != outputs
        or weights["importance"].shape[1] != inputs
    ):
        raise FileError(
            f"the weights of this {settings.method} emulator are not those of its settings: root, importance"
        )
    field_in, field_out = geometry.field_of[seen.inputs[0]], geometry.field_of[seen.outputs[0]]
    links = weights["child"].astype(np.int64) * 65536 + weights["feature"]
    divisor = trees if settings.averaged else 1
    parts = (
        [points, inputs, outputs, trees, weights["value"].size, int(weights["depth"]), divisor],
        *(scaling.mean[field_in], scaling.std[field_in], scaling.increment_std[field_out], weights["base"]),
        *(seen.inputs.ravel(), seen.outputs.ravel(), weights["root"], weights["value"]),
        np.column_stack([weights["threshold"], links.view(np.float64)]).ravel(),
    )
    return CompiledStep(trees_step, np.concatenate(parts, dtype=float))


@njit(cache=True, nogil=True)
def trees_step(E, parameters):
    """Advance every row of E (member, site) by the trees, in place.

    A tree is walked by all members and points before the next one: its nodes stay in the cache, and look-ups do not
    wait for one another. A point that has reached its leaf stays there.
    """
    P, K, L, trees = int(parameters[0]), int(parameters[1]), int(parameters[2]), int(parameters[3])
    count, depth, divisor = int(parameters[4]), int(parameters[5]), parameters[6]
    at = 7
    mean, std = parameters[at : at + K], parameters[at + K : at + 2 * K]
    scale, base = parameters[at + 2 * K : at + 2 * K + L], parameters[at + 2 * K + L : at + 2 * K + 2 * L]
    at += 2 * K + 2 * L
    seen, given = parameters[at : at + P * K].astype(np.int64), parameters[at + P * K : at + P * (K + L)]
    given = given.astype(np.int64)
    at += P * (K + L)
    roots, values = parameters[at : at + trees * L], parameters[at + trees * L : at + trees * L + count]
    nodes = parameters[at + trees * L + count :]
    members = E.shape[0]
    z, leaf = np.empty((members, K * P), np.float32), np.empty(P, np.uint64)
    for member in range(members):
        for k in range(K):
            for i in range(P):
                z[member, k * P + i] = (E[member, seen[i * K + k]] - mean[k]) / std[k]  # as scikit-learn compares
    total = np.empty((members, P))
    for output in range(L):
        total[:] = 0.0
        for tree in range(output * trees, (output + 1) * trees):
            for member in range(members):
                _walk(z[member], nodes, np.uint64(roots[tree]), depth, leaf)
                for i in range(P):
                    total[member, i] += values[leaf[i]]
        for member in range(members):
            for i in range(P):
                E[member, given[i * L + output]] += scale[output] * (base[output] + total[member, i] / divisor)


@njit(cache=True)
def _walk(z, nodes, root, depth, leaf):
    """Write into leaf (point,) the leaf of every point; z is (input * point,), indices are unsigned, so none wraps."""
    links = nodes.view(np.uint64)
    one, bits, mask, points = np.uint64(1), np.uint64(16), np.uint64(65535), np.uint64(leaf.size)
    leaf[:] = root
    for _ in range(depth):
        for i in range(leaf.size):
            node = leaf[i] << one
            link = links[node | one]
            leaf[i] = (link >> bits) + np.uint64(z[(link & mask) * points + np.uint64(i)] > nodes[node])
