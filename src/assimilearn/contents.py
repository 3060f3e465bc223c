"""What each kind of file must hold: variables with their dimensions, attributes, sizes that agree.

A file of this project names its kind in the attribute ``kind``. The verbs ask for the kind that they need, and what is
of another kind, or does not hold what its kind holds, is refused before anything is made of it. Where the files stand,
and who writes and reads them, says :mod:`assimilearn.study.artifacts`.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from assimilearn.periods import FLAGS

Dims = tuple[str, ...]
OF_A_STUDY: dict[str, type] = {"study": str, "scenario": str, "node": str}
IF_THERE: dict[str, type] = {"inputs": dict, "innovation_scores": list, "tuned": dict}


class Contents(NamedTuple):
    """What a kind of file holds.

    Attributes
    ----------
    title : str
        As sentences name it.
    needed : mapping of variable -> dimensions
    possible : mapping of variable -> dimensions
        Those that need not be there.
    attributes : mapping of attribute -> type
        Besides those of every file. ``dict`` and ``list`` stand for JSON texts.
    finite : names
        Variables without NaN or infinity.
    """

    title: str
    needed: Mapping[str, Dims]
    possible: Mapping[str, Dims] = {}
    attributes: Mapping[str, type] = {}
    finite: tuple[str, ...] = ()


IN_TIME: dict[str, Dims] = {"time": ("time",), "period": ("time",)}
OF_STATES: dict[str, Dims] = {"mean": ("site",), "std": ("site",), "pdf": ("value",), "power_spectrum": ("frequency",)}
AXES: dict[str, Dims] = {"value": ("value",), "frequency": ("frequency",)}
OF_A_MODEL: dict[str, type] = {"method": str, "settings": dict, "size": int, "time_step": float}
SCORES = Contents(
    "scores of an analysis",
    {**IN_TIME, "score": ("score",), "mean": ("score",), "uncertainty": ("score",), "median": ("score",)},
    {
        "rank_histogram": ("rank",),
        "binned_spread": ("bin",),
        "binned_error": ("bin",),
        "binned_cases": ("bin",),
    },
    {"status": str},
)

CONTENTS: dict[str, Contents] = {
    "model": Contents(
        "a physical model",
        {**OF_STATES, **AXES, "lyapunov_exponent": ("index",)},
        {
            "covariance": ("site", "other_site"),
            "covariance_at": ("distance",),
            "covariance_at_offset": ("one_field", "other_field", "offset"),
            "states": ("state", "site"),
        },
        OF_A_MODEL,
        ("mean", "std", "covariance", "covariance_at", "covariance_at_offset", "states"),
    ),
    "climatology": Contents(
        "the climatology of a record",
        {**OF_STATES, **AXES, "covariance": ("site", "other_site")},
        {},
        {"size": int, "time_step": float, "decorrelation_time": float},
        ("mean", "std", "covariance"),
    ),
    "truth": Contents(
        "a truth", {**IN_TIME, "state": ("time", "site")}, {}, {"size": int, "time_step": float}, ("state",)
    ),
    "observations": Contents(
        "observations",
        {**IN_TIME, **dict.fromkeys(("value", "error_std", "site_index", "valid"), ("time", "observation"))},
        {
            "corner_site": ("time", "observation", "corner"),
            "corner_weight": ("time", "observation", "corner"),
            "function": ("time", "observation"),
        },
        {"size": int, "time_step": float},
    ),
    "withheld": Contents(
        "withheld observations",
        {**IN_TIME, **dict.fromkeys(("value", "error_std", "site_index", "valid"), ("time", "observation"))},
        {},
        {"size": int, "time_step": float},
    ),
    "analyses": Contents(
        "an analysis",
        {**IN_TIME, **dict.fromkeys(("mean", "spread", "forecast_mean", "forecast_spread"), ("time", "site"))}
        | dict.fromkeys(("innovation", "innovation_std"), ("time", "observation")),
        {
            "members": ("ensemble_time", "member", "site"),
            "forecast_members": ("ensemble_time", "member", "site"),
            "ensemble_time": ("ensemble_time",),
            "rejected": ("time", "observation"),
        },
        {"method": str, "status": str, "settings": dict},
    ),
    "tuning": Contents(
        "a search of settings",
        {
            "trial": ("trial",),
            "fold": ("fold",),
            "budget": ("budget",),
            "mean_score": ("trial", "budget"),
            "standard_error": ("trial", "budget"),
            "evaluation": ("trial", "budget"),
            "status": ("trial",),
            "reason": ("trial",),
            "best": (),
        },
        {"train_size": ("fold",), "nested_score": ("outer",), "training": ("trial", "fold", "budget")},
        {"method": str, "chosen": dict, "objective": str, "tuned_part": str, "edges": list, "search": dict},
    ),
    "emulators": Contents(
        "an emulator",
        {},
        {"epoch": ("epoch",), "loss": ("epoch",), "validation_loss": ("epoch",), "step_loss": ("step",)}
        | {"monomial": ("monomial",)}
        | dict.fromkeys(("coefficient", "coefficient_std", "first_guess"), ("monomial",)),
        {**OF_A_MODEL, "layout": int, "residual_std": float, "status": str},
    ),
    "assimilators": Contents(
        "an assimilator",
        {"loss": ("stage",), "validation_loss": ("stage",), "iteration": ("stage",)},
        {},
        {"method": str, "settings": dict, "size": int, "time_step": float, "layout": int, "status": str},
    ),
    "explanations": Contents(
        "an explanation of a model",
        dict.fromkeys(("importance", "jacobian", "jacobian_std", "physical_jacobian"), ("output", "input"))
        | dict.fromkeys(("dependence", "dependence_value"), ("output", "input", "point"))
        | {"output_site": ("output",), "input_site": ("output", "input")},
        {"offset": ("input",), "physical_strength": ("output", "input")},
        {"method": str, "jacobian_error": float, "stencil_found": float},
    ),
    "classifiers": Contents(
        "a classifier",
        {
            **{"time": ("time",), "probability": ("time", "point", "category")},
            **{"boundary": ("threshold",), "base_rate": ("category",)},
        },
        {"loss": ("epoch",), "validation_loss": ("epoch",)},
        {"method": str, "settings": dict, "size": int, "interval": float},
        ("boundary", "base_rate"),
    ),
    "classifier_scores": Contents(
        "scores of a classifier",
        {
            **{"mean_probability": ("category", "bin"), "frequency": ("category", "bin"), "cases": ("category", "bin")},
            "confusion": ("observed", "forecast"),
        },
        {},
        {"method": str, "brier_score": float, "brier_skill": float, "verified_against": str},
    ),
    "costs": Contents(
        "the cost of a model", {"step_seconds": (), "training_seconds": ()}, {}, {"method": str, "model_kind": str}
    ),
    "sweeps": Contents("a sweep", {"realization": ("realization",)}, {}, {"method": str, "by": list, "settings": dict}),
    "analysis_scores": SCORES,
    "loop_scores": SCORES._replace(title="scores of a cycle of a loop", attributes={"status": str, "cycle": int}),
    "forecast_scores": Contents(
        "scores of forecasts",
        {
            "initial": ("initial",),
            "start": ("start",),
            "lead": ("lead",),
            "error": ("initial", "start", "lead"),
            "error_mean": ("initial", "lead"),
            "error_uncertainty": ("initial", "lead"),
        },
        {
            **OF_STATES,
            **AXES,
            "spread": ("initial", "start", "lead"),
            "valid_time": ("initial", "start"),
            "censored": ("initial", "start"),
            "valid_time_mean": ("initial",),
            "valid_time_uncertainty": ("initial",),
            "forecast": ("lead", "site"),
            "verifying": ("lead", "site"),
            "error_at": ("initial", "told_lead"),
            "increment": ("sample",),
            "true_increment": ("sample",),
            "free_run_state": ("run_time",),
            "lyapunov_exponent": ("index",),
            "lyapunov_reference": ("index",),
            "verified_rmse": ("forecaster", "lead"),
            "verified_values": ("lead",),
            "skill": ("reference", "lead"),
            "skill_uncertainty": ("reference", "lead"),
        },
        {"method": str, "status": str, "model_kind": str},
    ),
}
"""Kind -> what a file of it holds."""


def layout_problem(dataset: xr.Dataset, kinds: tuple[str, ...]) -> str:
    """Why a file is none of the ``kinds``, as the end of a sentence that begins with its path; empty if it is one.

    No values are looked at: they may not be in memory.
    """
    needed = " or of ".join(dict.fromkeys(CONTENTS[kind].title for kind in kinds))
    kind = dataset.attrs.get("kind")
    if kind is None:
        return f"does not say what kind of file it is: a file of {needed} is needed, as a verb of assimilearn writes it"
    if kind not in kinds:
        found = f"is a file of {CONTENTS[kind].title}" if kind in CONTENTS else f"is of an unknown kind, {kind!r}"
        return f"{found}; a file of {needed} is needed"
    contents = CONTENTS[kind]
    lacking = [name for name in contents.needed if name not in dataset.variables]
    if lacking:
        return f"is broken: a file of {contents.title} holds {', '.join(lacking)}"
    for name, dims in {**contents.needed, **contents.possible}.items():
        if name in dataset.variables and dataset[name].dims != dims:
            return f"is broken: {name} has the dimensions ({', '.join(map(str, dataset[name].dims))}), not {dims}"
    there = {name: kind for name, kind in IF_THERE.items() if name in dataset.attrs}
    return attribute_problem(dataset.attrs, OF_A_STUDY | there | dict(contents.attributes)) or size_problem(dataset)


def attribute_problem(attributes: Mapping[Any, Any], needed: Mapping[str, type]) -> str:
    """What is wrong with the attributes of a file; empty if nothing is."""
    for name, kind in needed.items():
        value = attributes.get(name)
        if value is None:
            return f"is broken: it lacks the attribute {name}"
        if kind in (int, float):
            fits = np.ndim(value) == 0 and np.issubdtype(np.asarray(value).dtype, np.number)
            fits = fits and bool(np.isfinite(value) or kind is float) and (kind is float or value == int(value))
        elif kind is str:
            fits = isinstance(value, str)
        else:
            fits = isinstance(from_json(value), kind)
        if not fits:
            return f"is broken: its attribute {name} is {value!r}"
    return ""


def from_json(text: Any) -> Any:
    """What a JSON text says; None where it is none."""
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return None


def size_problem(dataset: xr.Dataset) -> str:
    """Dimensions over sites that have not as many of them as the attribute ``size`` says; empty if all agree."""
    if "size" not in dataset.attrs:
        return ""
    size = int(dataset.attrs["size"])
    if size < 1:
        return f"is broken: its attribute size is {size}"
    for dim, expected in {"site": size, "other_site": size, "distance": size // 2 + 1}.items():
        if dataset.sizes.get(dim, expected) != expected:
            return f"is broken: it has {dataset.sizes[dim]} entries along {dim}, and the size {size}"
    return ""


def value_problem(dataset: xr.Dataset) -> str:
    """What is wrong with the values of a file whose layout is right; empty if nothing is."""
    contents = CONTENTS[dataset.attrs["kind"]]
    for name in {**contents.needed, **contents.possible}:
        if name in dataset.variables and name not in ("score", "initial", "monomial", "reason"):
            values = dataset[name].values
            if values.dtype.kind not in "biuf":
                return f"is broken: {name} holds no numbers"
            if name in contents.finite and not np.isfinite(values).all():
                return f"is broken: {name} is not finite everywhere"
    if "period" in contents.needed:
        times = dataset["time"].values
        if times.size == 0 or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
            return "is broken: its times do not increase"
        if not np.isin(dataset["period"].values, list(FLAGS.values())).all():
            return "is broken: it holds a period that there is not"
    return ""
