"""The file of a search: every trial with its settings, scores and status; and what was chosen, as YAML to paste."""

import json

import numpy as np
import xarray as xr
import yaml

from assimilearn.tuning.objective import OK, STATUS, Objective, Score
from assimilearn.tuning.search import Found, SearchSettings
from assimilearn.tuning.space import column

SETTING = "setting_"
"""How the names of variables begin that hold a setting along the trials."""
NEVER = -1
"""Order of an evaluation that never was."""


def as_dataset(found: Found, objective: Objective, search: SearchSettings) -> xr.Dataset:
    """The outcome of a search.

    Returns
    -------
    xarray.Dataset
        With the dimensions ``trial``, ``fold`` and ``budget`` (0 where all there is was spent on every trial): each
        score (trial, fold, budget), NaN where a trial was not taken to that budget or failed; ``mean_score`` and
        ``standard_error`` (trial, budget) of the score that chooses, which the attribute ``objective`` names;
        ``evaluation(trial, budget)``, the order in which evaluations were told; ``status(trial)`` and
        ``reason(trial)``; the settings sought as coordinates ``setting_*(trial)``; ``best``. Attributes ``chosen``
        (JSON), ``search`` (JSON), ``edges`` (JSON: settings whose chosen value lies on the edge of its range).
    """
    trials, rungs, chosen = found.trials, found.rungs, objective.scores[0]
    shape = (len(trials), objective.folds, len(rungs))
    values = {score.name: np.full(shape, np.nan) for score in objective.scores}
    evaluation = np.full((len(trials), len(rungs)), NEVER)
    for trial in trials:
        for rung, order in trial.order.items():
            evaluation[trial.number, rung] = order
        for rung, scores in trial.scores.items():
            for name, of_folds in scores.items():
                values[name][trial.number, :, rung] = of_folds
    dataset = xr.Dataset(coords=coordinates(found, objective, search))
    for score in objective.scores:
        attributes = {"units": score.units, "long_name": score.long_name, "best": score.best}
        dataset[score.name] = (("trial", "fold", "budget"), values[score.name], attributes)
    mean, error = summaries(values[chosen.name], chosen)
    units = {"units": chosen.units}
    dataset["mean_score"] = (("trial", "budget"), mean, units | {"long_name": f"{chosen.long_name}, over all folds"})
    dataset["standard_error"] = (("trial", "budget"), error, units | {"long_name": "standard error of mean_score"})
    told = {"units": "1", "long_name": f"evaluations told before this one; {NEVER} where there was none"}
    dataset["evaluation"] = (("trial", "budget"), evaluation, told)
    flags = {"flag_values": np.array([*STATUS.values()], dtype=np.int8), "flag_meanings": " ".join(STATUS)}
    status = np.array([trial.status for trial in trials], dtype=np.int8)
    dataset["status"] = ("trial", status, {"units": "1", "long_name": "what became of the trial"} | flags)
    reasons = np.array([trial.reason for trial in trials], dtype=object)
    dataset["reason"] = ("trial", reasons, {"units": "1", "long_name": "why a trial has no scores"})
    dataset["best"] = ((), found.best, {"units": "1", "long_name": "trial that is chosen"})
    dataset.attrs = {
        "objective": chosen.name,
        "search": search.canonical(),
        "chosen": json.dumps(trials[found.best].values, sort_keys=True),
        "edges": json.dumps(found.edges),
    }
    return dataset


def coordinates(found: Found, objective: Objective, search: SearchSettings) -> dict[str, tuple[str, np.ndarray, dict]]:
    """Trials, folds, budgets, and the settings along the trials."""
    of = search.budget.of if search.budget is not None else "all there is"
    result = {
        "trial": ("trial", np.arange(len(found.trials)), {"units": "1", "long_name": "number of the trial"}),
        "fold": ("fold", np.arange(objective.folds), {"units": "1", "long_name": "number of the held-out block"}),
        "budget": ("budget", np.array(found.rungs), {"units": "1", "long_name": f"budget of an evaluation: {of}"}),
    }
    for name in [*search.grid, *search.distributions]:
        along = column([trial.values.get(name) for trial in found.trials])
        result[SETTING + name] = ("trial", along, {"units": "1", "long_name": f"setting {name}"})
    return result


def summaries(scores: np.ndarray, score: Score) -> tuple[np.ndarray, np.ndarray]:
    """Summary over folds and its standard error, (trial, budget), of ``scores (trial, fold, budget)``."""
    trials, folds, budgets = scores.shape
    mean = np.array([[score.over_folds(scores[t, :, b]) for b in range(budgets)] for t in range(trials)])
    if folds == 1:
        return mean, np.full_like(mean, np.nan)
    return mean, scores.std(axis=1, ddof=1) / np.sqrt(folds)


def sought(search: xr.Dataset) -> list[str]:
    """Names of the settings of a search file, in their order."""
    return [str(name).removeprefix(SETTING) for name in search.coords if str(name).startswith(SETTING)]


def best_of(search: xr.Dataset) -> str:
    """What a search file chose, as YAML that can be pasted into a node of a study, with a comment on its score."""
    best, chosen = int(search["best"]), json.loads(search.attrs["chosen"])
    mean, error = (float(search[name].values[best, -1]) for name in ("mean_score", "standard_error"))
    failed = int(np.count_nonzero(search["status"].values != OK))
    uncertainty = f" ± {error:.2g}" if np.isfinite(error) else ""
    lines = [
        f"# {search.attrs.get('node') or 'search'}: best of {search.sizes['trial']} trials"
        + (f" ({failed} failed)" if failed else ""),
        f"# {search.attrs['objective']} {mean:.4g}{uncertainty} {search['mean_score'].attrs['units']}".rstrip(" 1"),
    ]
    lines += [f"# {name} lies on the edge of its range: widen it" for name in json.loads(search.attrs["edges"])]
    return "\n".join([*lines, yaml.safe_dump(chosen, sort_keys=False, default_flow_style=None).rstrip()]) + "\n"
