"""Scores of probabilities of categories: Brier and logarithmic scores, reliability, confusion.

With p_k the probability of category k, P_k that of categories up to k, and o, O the same of what happened (0 or 1):

    Brier score = mean sum_k (P_k - O_k)^2      (for two categories (p - o)^2; for more the ranked probability score)
    skill = 1 - score / score of the frequencies in training
    logarithmic score = - mean log p of what happened

Brier (1950), Mon. Wea. Rev. 78, 1-3; Epstein (1969), J. Appl. Meteorol. 8, 985-987. The reliability diagram holds, for
each category, the mean probability of the forecasts in each of ten bins and how often it happened. Its mean square
distance from the diagonal, over cases, is ``reliability``: Murphy (1973), J. Appl. Meteorol. 12, 595-600. In the
confusion table the forecast is the most probable category: for two of them, that above 1/2.
"""

import json

import numpy as np
import xarray as xr

from assimilearn.errors import FileError
from assimilearn.models.fields import geometry_in
from assimilearn.verification.matching import indices_at
from assimilearn.verification.uncertainty import mean_and_uncertainty

BINS = 10
SMALLEST = 1e-12  # probability of which the logarithm is taken
CLASSIFIER_SCORES = ("brier_score", "brier_skill", "log_score", "reliability", "accuracy", "base_accuracy")


def score_classifier(file: xr.Dataset, verifying: xr.Dataset) -> xr.Dataset:
    """Scores of the probabilities of the test period.

    Parameters
    ----------
    file : Dataset
        Of a classifier: ``probability(time, point, category)``, ``boundary``, ``base_rate``.
    verifying : Dataset
        The truth (``state``), or where none is known an analysis (``mean``).

    Returns
    -------
    Dataset
        ``mean_probability``, ``frequency``, ``cases`` (category, bin), ``confusion(observed, forecast)``; the scores
        are attributes.

    Raises
    ------
    FileError
        If nothing verifies within the test period.
    """
    event = json.loads(file.attrs["settings"])["event"]
    happened, times = categories(file, verifying, int(event["lead"]), bool(event["within"]))
    p = file["probability"].values[times].astype(float)
    good = np.isfinite(p).all(axis=(1, 2))
    p, happened = p[good], happened[good]
    if len(p) == 0:
        raise FileError("no forecast of the classifier can be verified: lengthen `periods.test`, or shorten `lead`")
    count = p.shape[2]
    o = np.eye(count)[happened]
    score, uncertainty = mean_and_uncertainty(ranked(p, o).mean(axis=1))
    reference = float(ranked(np.broadcast_to(file["base_rate"].values, p.shape), o).mean())
    dataset = diagram(p, o)
    confusion = np.zeros((count, count), dtype=np.int64)
    np.add.at(confusion, (happened.ravel(), p.argmax(axis=2).ravel()), 1)
    told = {"units": "1", "long_name": "cases of each category that happened, by the most probable one"}
    dataset["confusion"] = (("observed", "forecast"), confusion, told)
    weights = dataset["cases"].values / p[..., 0].size
    off = np.where(weights > 0, dataset["mean_probability"].values - dataset["frequency"].values, 0.0)
    scores = {
        "brier_score": score,
        "brier_score_uncertainty": uncertainty,
        "brier_skill": 1 - score / reference,
        "log_score": float(-np.log(np.maximum((p * o).sum(axis=2), SMALLEST)).mean()),
        "reliability": float((weights * off**2).sum() / count),
        "accuracy": float(np.trace(confusion) / confusion.sum()),
        "base_accuracy": float((happened == file["base_rate"].values.argmax()).mean()),
    }
    against = "truth" if "state" in verifying else "analysis"
    return dataset.assign_attrs(scores | {"method": file.attrs["method"], "verified_against": against})


def categories(file: xr.Dataset, verifying: xr.Dataset, lead: int, within: bool) -> tuple[np.ndarray, np.ndarray]:
    """What happened, (case, point), and the indices (case,) of the forecasts of it among the times of the file."""
    values = (verifying["state"] if "state" in verifying else verifying["mean"]).values
    if values.shape[1] != geometry_in(file).size:
        raise FileError(f"the classifier has {geometry_in(file).size} sites, what it is held against {values.shape[1]}")
    leads = np.arange(1, lead + 1) if within else np.array([lead])
    wanted = file["time"].values[:, None] + float(file.attrs["interval"]) * leads
    where = indices_at(verifying["time"].values, wanted)
    times = np.flatnonzero((where >= 0).all(axis=1) & (wanted[:, -1] <= file["time"].values[-1] + 1e-6))
    after = values[where[times]][..., file["point"].values].max(axis=1)
    return np.searchsorted(file["boundary"].values, after, side="left"), times


def ranked(p: np.ndarray, o: np.ndarray) -> np.ndarray:
    """Ranked probability score of ``p`` and ``o (..., category)``, (...)."""
    return ((p.cumsum(axis=-1) - o.cumsum(axis=-1))[..., :-1] ** 2).sum(axis=-1)


def diagram(p: np.ndarray, o: np.ndarray) -> xr.Dataset:
    """Reliability diagram of every category: NaN in bins without cases."""
    count = p.shape[2]
    bins = np.minimum((p * BINS).astype(int), BINS - 1)
    cases, mean, frequency = (np.zeros((count, BINS)) for _ in range(3))
    for k in range(count):
        which = bins[..., k].ravel()
        cases[k] = np.bincount(which, minlength=BINS)
        mean[k] = np.bincount(which, p[..., k].ravel(), BINS)
        frequency[k] = np.bincount(which, o[..., k].ravel(), BINS)
    there = np.where(cases > 0, cases, np.nan)
    texts = {
        "mean_probability": (mean / there, "mean probability of the forecasts in a bin"),
        "frequency": (frequency / there, "how often the category happened after them"),
        "cases": (cases, "number of forecasts in the bin"),
    }
    return xr.Dataset(
        {n: (("category", "bin"), v, {"units": "1", "long_name": text}) for n, (v, text) in texts.items()}
    )
