"""The scorecard: one row for every number of a study that someone could check.

A row is called ``{scenario}/{node}/{score}``. ``passed`` is true or false where a number is published or known in
closed form, false where the run behind the row diverged or is lost, and empty otherwise. ``bound`` gives, for an
analysis made with a learned model, the RMSE of the same analysis with the true model and that of an interpolation of
the observations. A claim about ``*/{node}/{score}`` is held against the median over all scenarios, one about
``noise-*/{node}/{score}`` against that over the scenarios of these names, and one about ``{row} over {row}`` against
the ratio of two rows.
"""

import csv
import difflib
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import xarray as xr

from assimilearn import store
from assimilearn.errors import FileError
from assimilearn.models import open_model
from assimilearn.models.lyapunov import kaplan_yorke_dimension, kolmogorov_sinai_entropy
from assimilearn.models.protocol import WithIdentities
from assimilearn.observations.dates import clock_of
from assimilearn.registry import registry
from assimilearn.verification.claims import Claim
from assimilearn.verification.classifiers import CLASSIFIER_SCORES
from assimilearn.verification.climate import pooled_std
from assimilearn.verification.free_runs import DISTANCES
from assimilearn.verification.sweeps import MEDIAN, best_settings, swept_scores

Files = Mapping[str, Mapping[str, xr.Dataset]]
"""Datasets as {scenario: {node: Dataset}}."""

NAN = float("nan")
OVER = " over "
"""Between the names of two rows, in that of their ratio."""
LEADS = 5  # of which a record has rows


@dataclass(frozen=True)
class Row:
    """One number of the scorecard."""

    name: str
    value: float
    uncertainty: float | None = None
    bound: tuple[float, float] | None = None
    published: str = ""
    tolerance: float | None = None
    source: str = ""
    passed: bool | None = None


def scorecard(
    analyses: Files,
    forecasts: Files,
    models: Files,
    claims: Mapping[str, Claim] | None = None,
    sweeps: Files | None = None,
    assimilators: Files | None = None,
    explanations: Files | None = None,
    tuning: Files | None = None,
    classifiers: Files | None = None,
) -> list[Row]:
    """All rows of a study: of analyses, forecasts, models, sweeps, searches, assimilators, explanations, classifiers.

    Parameters
    ----------
    analyses, forecasts, models : {scenario: {node: Dataset}}
        Analysis scores, forecast scores and climatology files. The attributes ``model_kind`` and ``method`` of analysis
        scores tell what bounds what.
    claims : {row: Claim}
        Published numbers. A claim about a row that is not there gets a row of its own, which fails; one about
        ``*/{node}/{score}``, or any other pattern of names of scenarios, a row with the median over those that match
        and have this row; one about ``{row} over {row}`` a row with their ratio.
    sweeps, assimilators, explanations, tuning, classifiers : {scenario: {node: Dataset}}
    """
    rows = [
        *(row for name, file in _nodes(analyses) for row in analysis_rows(name, file)),
        *(row for name, file in _nodes(forecasts) for row in forecast_rows(name, file)),
        *(row for scenario, files in forecasts.items() for row in valid_time_ratios(scenario, files)),
        *(row for name, file in _nodes(models) for row in model_rows(name, file)),
        *(row for name, file in _nodes(sweeps or {}) for row in sweep_rows(name, file)),
        *(row for name, file in _nodes(tuning or {}) for row in search_rows(name, file)),
        *(row for name, file in _nodes(assimilators or {}) for row in assimilator_rows(name, file)),
        *(row for name, file in _nodes(explanations or {}) for row in explanation_rows(name, file)),
        *(row for name, file in _nodes(classifiers or {}) for row in classifier_rows(name, file)),
    ]
    bounds = {name: bound for scenario, files in analyses.items() for name, bound in rmse_bounds(scenario, files)}
    rows = [replace(row, bound=bounds.get(row.name)) for row in rows]
    return _with_claims([*rows, *(ratio for row in rows for ratio in _ratio_to_bound(row))], claims or {})


def classifier_rows(name: str, scores: xr.Dataset) -> Iterator[Row]:
    """Scores of the probabilities of a classifier."""
    for score in CLASSIFIER_SCORES:
        uncertainty = scores.attrs.get(f"{score}_uncertainty")
        yield Row(f"{name}/{score}", float(scores.attrs[score]), None if uncertainty is None else float(uncertainty))


def assimilator_rows(name: str, file: xr.Dataset) -> Iterator[Row]:
    """What a learned step has learned in numbers, and what that took: weights, and analyses made in training."""
    for attribute, value in file.attrs.items():
        if attribute in ("parameters", "training_analyses") or str(attribute).startswith("learned_"):
            failed = None if file.attrs["status"] == "ok" else False
            yield Row(f"{name}/{str(attribute).removeprefix('learned_')}", float(value), passed=failed)


def rmse_bounds(scenario: str, analyses: Mapping[str, xr.Dataset]) -> Iterator[tuple[str, tuple[float, float]]]:
    """Row and bounds of the RMSE of every analysis with a learned model.

    Below stands the best analysis of the same method with a physical model, or of any method if there is none; above
    the best interpolation. NaN for a bound that the scenario does not have.
    """
    physical = {name: scores for name, scores in analyses.items() if scores.attrs.get("model_kind") == "physical"}
    interpolations = [scores for scores in analyses.values() if scores.attrs.get("method") == "interpolation"]
    for name, scores in analyses.items():
        if scores.attrs.get("model_kind") == "emulator":
            method = scores.attrs.get("method")
            same = [other for other in physical.values() if other.attrs.get("method") == method]
            yield f"{scenario}/{name}/rmse", (_best(same or physical.values()), _best(interpolations))


def _ratio_to_bound(row: Row) -> Iterator[Row]:
    """Row ``..._ratio``: RMSE with a learned model over that of the same method with the physical one.

    Its uncertainty leaves out that of the bound: both filters meet the same observations, and most of it is common.
    """
    if row.bound is not None and not math.isnan(row.bound[0]):
        uncertainty = None if row.uncertainty is None else row.uncertainty / row.bound[0]
        yield replace(
            row, name=f"{row.name}_ratio", value=row.value / row.bound[0], uncertainty=uncertainty, bound=None
        )


def valid_time_ratios(scenario: str, forecasts: Mapping[str, xr.Dataset]) -> Iterator[Row]:
    """Valid time of each learned model over that of the physical model, where both start from the same analyses."""
    physical = [scores for scores in forecasts.values() if scores.attrs.get("model_kind") == "physical"]
    for name, scores in forecasts.items():
        same = [other for other in physical if _analysis_behind(other) == _analysis_behind(scores)]
        if scores.attrs.get("model_kind") == "emulator" and same and "valid_time_mean" in scores:
            (value, uncertainty), (best, _) = _valid_time(scores), _valid_time(same[0])
            ratio = f"{scenario}/{name}/valid_time_ratio"
            if best == 0:  # of analyses that have lost the truth
                yield _row(ratio, math.nan, None, "no forecast of the physical model was ever valid")
                continue
            yield _row(ratio, value / best, uncertainty / best, _failure(scores) or _failure(same[0]))


def _valid_time(scores: xr.Dataset) -> tuple[float, float]:
    """Mean valid time from analyses and its uncertainty, in MTU."""
    chosen = scores.sel(initial="analysis")
    return float(chosen["valid_time_mean"]), float(chosen["valid_time_uncertainty"])


def _analysis_behind(scores: xr.Dataset) -> str | None:
    """Digest of the analysis that forecasts start from."""
    digest: str | None = json.loads(scores.attrs.get("inputs", "{}")).get("analysis")
    return digest


def _best(analyses: Iterable[xr.Dataset]) -> float:
    """Lowest mean RMSE of the sound ones of ``analyses``; NaN where none has one."""
    sound = [scores for scores in analyses if not _failure(scores)]
    values = [float(s["mean"].sel(score="rmse")) for s in sound if "rmse" in s["score"].values]
    return min((value for value in values if not math.isnan(value)), default=NAN)


def analysis_rows(name: str, scores: xr.Dataset) -> list[Row]:
    """Rows ``{name}/{score}`` for every score of the file."""
    failed = _failure(scores)
    columns = (scores[name].values for name in ("score", "mean", "uncertainty"))
    rows = [
        _row(f"{name}/{score}", float(mean), float(uncertainty), failed)
        for score, mean, uncertainty in zip(*columns, strict=True)
    ]
    if "lost_fraction" in scores.attrs:
        rows.append(_row(f"{name}/lost_fraction", float(scores.attrs["lost_fraction"]), None, failed))
    return rows


def forecast_rows(name: str, scores: xr.Dataset) -> list[Row]:
    """Rows of valid times in MTU and Lyapunov times, and of the climate of the free run."""
    failed = _failure(scores)
    rows = []
    if "valid_time_mean" in scores:
        for initial, suffix in (("analysis", ""), ("truth", "_from_truth")):
            chosen = scores.sel(initial=initial)
            value, uncertainty = float(chosen["valid_time_mean"]), float(chosen["valid_time_uncertainty"])
            note = _censoring(chosen)
            unit = scores.attrs["lyapunov_time"]
            rows.append(_row(f"{name}/valid_time{suffix}", value, uncertainty, failed, note))
            rows.append(_row(f"{name}/valid_time{suffix}_lyapunov", value / unit, uncertainty / unit, failed, note))
    for at in (str(at) for at in scores if str(at).startswith("error_at")):
        of_field = at.removeprefix("error_at")
        for initial, suffix in (("analysis", ""), ("truth", "_from_truth")):
            for lead in scores["told_lead"].values if initial in scores["initial"].values else ():
                value = float(scores[at].sel(initial=initial, told_lead=lead))
                rows.append(_row(f"{name}/error_at_{lead:g}{of_field}{suffix}", value, None, failed))
    rows += skill_rows(name, scores, failed)
    broken = "the free run diverged" if scores.attrs.get("free_run") == "diverged" else ""
    if scores.attrs.get("free_run") != "none":
        for distance in DISTANCES:
            value = float(scores[distance]) if distance in scores else NAN
            rows.append(_row(f"{name}/climate_{distance}", value, None, broken))
    if "lyapunov_exponent" in scores:
        exponents, reference = scores["lyapunov_exponent"].values, scores["lyapunov_reference"].values
        rows.append(_row(f"{name}/lyapunov_exponent_1", float(exponents[0]), None, broken))
        rows.append(_row(f"{name}/lyapunov_error_1", float(exponents[0] / reference[0] - 1), None, broken))
        rows.append(_row(f"{name}/lyapunov_misfit", _lyapunov_misfit(exponents, reference), None, broken))
    return rows


def skill_rows(name: str, scores: xr.Dataset, failed: str) -> Iterator[Row]:
    """Rows of the error and the skill at a few leads of a record without a truth: the first, the last, some between."""
    if "skill" not in scores:
        return
    leads = scores["lead"].values
    unit, against = clock_of(scores.attrs).label, scores.attrs.get("verified_against", "")
    positive = np.flatnonzero(leads > 0)
    chosen = positive[np.unique(np.geomspace(1, positive.size, LEADS).round().astype(int)) - 1]
    for j in chosen:
        at, note = f"at_{leads[j]:g}", f"{leads[j]:g} {unit}, against {int(scores['verified_values'][j])} {against}"
        yield _row(f"{name}/verified_rmse_{at}", float(scores["verified_rmse"][0, j]), None, failed, note)
        for r, reference in enumerate(scores["reference"].values):
            value, uncertainty = float(scores["skill"][r, j]), float(scores["skill_uncertainty"][r, j])
            yield _row(f"{name}/skill_over_{reference}_{at}", value, uncertainty, failed, note)


def _lyapunov_misfit(exponents: np.ndarray, reference: np.ndarray) -> float:
    """Largest difference of the positive exponents, in units of 10 % or 0.05 per MTU, whichever is larger."""
    positive = reference > 0
    allowed = np.maximum(0.1 * reference[positive], 0.05)
    return float(np.max(np.abs(exponents - reference)[positive] / allowed, initial=0.0))


def model_rows(name: str, model: xr.Dataset) -> list[Row]:
    """Rows of the climate and the Lyapunov exponents of a model, and of what is known exactly of it."""
    mean, std = float(model["mean"].mean()), pooled_std(model)
    rows = [Row(f"{name}/mean", mean), Row(f"{name}/std", std)]
    if "lyapunov_exponent" in model:
        exponents = np.sort(model["lyapunov_exponent"].values)[::-1]
        rows.append(Row(f"{name}/lyapunov_exponent_1", float(exponents[0])))
        rows.append(Row(f"{name}/lyapunov_positive", float((exponents > 0).sum())))
        rows.append(Row(f"{name}/kolmogorov_sinai_entropy", kolmogorov_sinai_entropy(exponents)))
        if exponents.sum() < 0:
            rows.append(Row(f"{name}/kaplan_yorke_dimension", kaplan_yorke_dimension(exponents)))
    return [*rows, *identity_rows(name, model)]


def identity_rows(name: str, climatology_file: xr.Dataset) -> Iterator[Row]:
    """Rows of exact facts about the model, as far as the file holds what they are about."""
    if registry().find(str(climatology_file.attrs.get("method")), "model") is None:
        return  # a plug-in, which the scorecard does not load: it states no facts
    model = open_model(climatology_file)
    for fact in model.identities() if isinstance(model, WithIdentities) else ():
        value = fact.of(climatology_file) if set(fact.needs) <= set(climatology_file) else NAN
        if not math.isnan(value):
            yield Row(
                f"{name}/{fact.name}",
                value,
                published=_text(fact.exact),
                tolerance=fact.tolerance,
                source=f"exact identity of {climatology_file.attrs['method']}",
                passed=abs(value - fact.exact) <= fact.tolerance,
            )


def sweep_rows(name: str, sweep: xr.Dataset) -> list[Row]:
    """Rows of the best settings of a sweep: medians over realizations, and the standard errors of these.

    Where settings were given cycles as they did well, ``cycle_share`` says how many of those of all.
    """
    share = [Row(f"{name}/cycle_share", float(sweep.attrs["cycle_share"]))] if "cycle_share" in sweep.attrs else []
    return share + [
        _row(f"{name}/{best.place}{score}", value, uncertainty, "" if np.isfinite(value) else best.note, best.note)
        for best in best_settings(sweep)
        for score, (value, uncertainty) in ((score, best.median(score)) for score in swept_scores(sweep))
    ]


def search_rows(name: str, search: xr.Dataset) -> Iterator[Row]:
    """Rows of what a search chose and spent.

    ``search_score`` is the mean score of the chosen trial over the folds, ``search_cost`` what was spent, in trials
    with the whole budget, and ``nested_score`` the mean score, on each outer block, of what is chosen without it.
    """
    best, objective = int(search["best"]), search.attrs["objective"]
    score, error = (float(search[n].values[best, -1]) for n in ("mean_score", "standard_error"))
    edges = json.loads(search.attrs["edges"])
    note = f"{objective}{', ' + ' and '.join(edges) + ' on the edge of what was sought' if edges else ''}"
    yield _row(f"{name}/search_score", score, error, "", note)
    spent = np.maximum(search["budget"].values.astype(float), 1)
    told = (search["evaluation"].transpose("trial", "budget").values >= 0).sum(axis=0)
    yield Row(f"{name}/search_cost", float(told @ spent / spent[-1]), source="trials with the whole budget")
    if "nested_score" in search:
        outer = search["nested_score"].values
        uncertainty = float(outer.std(ddof=1) / np.sqrt(outer.size)) if outer.size > 1 else None
        yield _row(f"{name}/nested_score", float(outer.mean()), uncertainty, "", f"{objective}, {outer.size} blocks")


def explanation_rows(name: str, explanation: xr.Dataset) -> list[Row]:
    """Rows of the distance of the Jacobian from the physical one, and of the share of its stencil that is found."""
    return [Row(f"{name}/{fact}", float(explanation.attrs[fact])) for fact in ("jacobian_error", "stencil_found")]


def write_scorecard(rows: Iterable[Row], path: str | Path) -> None:
    """Write ``rows`` as CSV, whole or not at all; numbers with 6 significant digits, nothing for None."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    names = [field.name for field in fields(Row)]
    table.writerow(names)
    table.writerows([_text(getattr(row, name)) for name in names] for row in rows)
    store.write_text(text.getvalue(), path)


def read_scorecard(path: str | Path) -> list[Row]:
    """Rows of a file that :func:`write_scorecard` made.

    Raises
    ------
    FileError
        If the file is missing, is no text, or has other columns or values.
    """
    store.refuse_absent(Path(path))
    rows: list[Row] = []
    try:
        with open(path, encoding="utf-8", newline="") as file:
            table = csv.DictReader(file, strict=True)
            if table.fieldnames != [field.name for field in fields(Row)]:
                raise FileError(f"{path}: is not a scorecard: its first line does not name the columns of one")
            for line in table:
                rows.append(_parsed(line))
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileError(f"{path}: is not a scorecard: it is no table of texts in UTF-8") from error
    except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise FileError(f"{path}: row {len(rows) + 1} is not that of a scorecard") from error
    return rows


def _nodes(files: Files) -> Iterator[tuple[str, xr.Dataset]]:
    for scenario, nodes in files.items():
        for node, file in nodes.items():
            yield f"{scenario}/{node}", file


def _row(name: str, value: float, uncertainty: float | None, failed: str, note: str = "") -> Row:
    """A row that has failed already if ``failed`` says why; an uncertainty that is no number is none."""
    known = uncertainty if uncertainty is not None and not math.isnan(uncertainty) else None
    return Row(name, value, known, source=failed or note, passed=False if failed else None)


def _failure(scores: xr.Dataset) -> str:
    """Why the numbers of a file are not there, or not worth much; empty if all is well."""
    status = scores.attrs.get("status", "ok")
    if status == "ok":
        return ""
    when = f" at {scores.attrs['diverged_at']:g} MTU" if "diverged_at" in scores.attrs else ""
    reason = f": {scores.attrs['reason']}" if "reason" in scores.attrs else ""
    return f"{status}{when}{reason}"


def _censoring(scores: xr.Dataset) -> str:
    """A word on forecasts that outlived the last lead: the mean valid time is then a lower bound."""
    censored = int(scores["censored"].sum())
    if not censored:
        return ""
    return (
        f"lower bound: {censored} of {scores.sizes['start']} forecasts still valid at {float(scores['lead'][-1]):g} MTU"
    )


def _with_claims(rows: list[Row], claims: Mapping[str, Claim]) -> list[Row]:
    """``rows`` held against the claims."""
    named = [part for name in claims for part in name.split(OVER)]
    rows = [*rows, *_medians(rows, dict.fromkeys(named))]
    rows = [*rows, *_ratios(rows, claims)]
    names = [row.name for row in rows]
    result = [_held(row, claims[row.name]) if row.name in claims else row for row in rows]
    for name, claim in claims.items():
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            missing = "no such row" + (f", perhaps {near[0]}" if near else "")
            result.append(_held(Row(name, NAN, source=missing), claim))
    return result


def _medians(rows: list[Row], names: Iterable[str]) -> Iterator[Row]:
    """Medians over scenarios, as far as ``names`` ask for them with an asterisk; none where a scenario has no value."""
    parts = [(*row.name.partition("/"), row.value) for row in rows]
    for name in names:
        scenarios, _, score = name.partition("/")
        values = np.array([v for scenario, _, rest, v in parts if rest == score and fnmatchcase(scenario, scenarios)])
        if "*" in scenarios and values.size:
            uncertainty = MEDIAN * float(values.std(ddof=1)) / np.sqrt(values.size) if values.size > 1 else None
            sound = np.isfinite(values).all()
            spread = f"{values.size} scenarios, {values.min():.4g} to {values.max():.4g}"
            note = spread if sound else "a scenario has no value"
            yield _row(name, float(np.median(values)), uncertainty, "", note)


def _ratios(rows: list[Row], names: Iterable[str]) -> Iterator[Row]:
    """Ratios of two rows, as far as ``names`` ask for them and both are there; uncertainties as of independent ones."""
    there = {row.name: row for row in rows}
    for name in names:
        above, _, below = name.partition(OVER)
        if above in there and below in there:
            pair = there[above], there[below]
            ratio = pair[0].value / pair[1].value if pair[1].value else NAN
            relative = [r.uncertainty / abs(r.value) for r in pair if r.uncertainty is not None and r.value]
            uncertainty = abs(ratio) * math.hypot(*relative) if relative else None
            failed = " and ".join(r.source for r in pair if r.passed is False and r.source)
            values = f"{pair[0].value:.4g} over {pair[1].value:.4g}"
            yield _row(name, ratio, uncertainty, failed if not math.isfinite(ratio) else "", values)


def _held(row: Row, claim: Claim) -> Row:
    """``row`` with what ``claim`` says and whether it holds; why a row failed before stays visible."""
    symbol = {"equal": "", "at_most": "<= ", "at_least": ">= ", "between": ""}[claim.relation]
    published = f"{symbol}{_text(claim.published)}" + (f" to {_text(claim.upper)}" if claim.upper is not None else "")
    source = f"{claim.source} ({row.source})" if row.source else claim.source
    passed = claim.holds(row.value) and row.passed is not False
    return replace(row, published=published, tolerance=claim.tolerance, source=source, passed=passed)


def _text(value: str | float | bool | tuple[float, float] | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{value[0]:.6g}, {value[1]:.6g}]"
    return value if isinstance(value, str) else f"{value:.6g}"


def _parsed(line: Mapping[str, str]) -> Row:
    """A row from the texts of its columns."""
    if None in line:
        raise ValueError("more columns than names")
    low_high = [float(part) for part in line["bound"].strip("[]").split(",") if part]
    return Row(
        line["name"],
        float(line["value"]),
        float(line["uncertainty"]) if line["uncertainty"] else None,
        (low_high[0], low_high[1]) if low_high else None,
        line["published"],
        float(line["tolerance"]) if line["tolerance"] else None,
        line["source"],
        {"": None, "true": True, "false": False}[line["passed"]],
    )
