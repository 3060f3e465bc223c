"""Surrogate of a score over one setting and the expected improvement, step by step, as a Bayesian search goes on."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from assimilearn.figures.cross_validation import distribution_of, in_words, sought
from assimilearn.figures.inputs import FigureError, Group, having, need
from assimilearn.figures.style import (
    BLACK,
    CENTIMETRE,
    GREY,
    TWO_COLUMNS,
    VERMILION,
    colour,
    label,
    letter,
    new_figure,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STEPS = 4
FIRST = 4  # trials from which on there is a surrogate
POINTS = 300
SETTING = "setting_"


def plot(*, surrogates: Group | None = None) -> "Figure":
    """One column for each of four steps of a search over one number, surrogate above and expected improvement below.

    The surrogate is a Gaussian process (Matern 5/2, noise estimated) fitted to the trials so far, on the axis of the
    distribution from which the setting is drawn; the expected improvement below the best mean (Jones et al. 1998, J.
    Global Optim. 13, eq. 15) says where it would try next. It stands for what the search models, and is fitted anew
    here.

    Parameters
    ----------
    surrogates : mapping of names to Datasets
        Of searches; the first with one numerical setting and trials enough is shown.

    Raises
    ------
    FigureError
        If there is none.
    """
    need("search_surrogate", surrogates=surrogates)
    assert surrogates is not None
    for name, search in having(surrogates, "mean_score", "evaluation", "best").items():
        if suited(search):
            with style():
                return draw(name, search)
    raise FigureError("the figure 'search_surrogate' needs a search of one number with 8 trials or more")


def suited(search: xr.Dataset) -> bool:
    """Whether a search goes over one number in trials enough."""
    names = sought(search)
    many = search.sizes["trial"] >= 2 * FIRST
    return many and len(names) == 1 and distribution_of(search, names[0]) in ("uniform", "log_uniform")


def draw(name: str, search: xr.Dataset) -> "Figure":
    """The columns."""
    setting = sought(search)[0]
    logarithmic = distribution_of(search, setting) == "log_uniform"
    values, scores = search[SETTING + setting].values.astype(float), search["mean_score"].values[:, -1]
    figure = new_figure(TWO_COLUMNS, 8.0 * CENTIMETRE)
    panels = figure.subplots(2, STEPS, sharex=True, sharey="row", height_ratios=[2, 1])
    counts = np.unique(np.linspace(FIRST, len(values) - 1, STEPS).astype(int))
    for index, count in enumerate(counts):
        seen = np.flatnonzero(np.isfinite(scores[:count]))
        upper, lower = panels[:, index]
        one_step(upper, lower, values, scores, seen, count, logarithmic, colour(name))
        letter(upper, index, f"{count} trials")
        lower.set_xlabel(label(setting.replace("_", " "), "1"))
    panels[0, 0].set_ylabel(label(in_words(search), search["mean_score"].attrs.get("units")))
    panels[1, 0].set_ylabel(label("Expected\nimprovement", search["mean_score"].attrs.get("units")))
    handles, texts = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside lower center", ncols=4)
    return figure


def one_step(
    upper: "Axes",
    lower: "Axes",
    values: np.ndarray,
    scores: np.ndarray,
    seen: np.ndarray,
    count: int,
    logarithmic: bool,
    shade: str,
) -> None:
    """Trials, surrogate and expected improvement after ``count`` trials, and the trial that came next."""
    ends = np.log(values) if logarithmic else values
    axis = np.linspace(ends.min(), ends.max(), POINTS)
    mean, std = surrogate(ends[seen], scores[seen], axis)
    places = np.exp(axis) if logarithmic else axis
    upper.fill_between(places, mean - 2 * std, mean + 2 * std, color=shade, alpha=0.2, lw=0, label="surrogate ± 2 std")
    upper.plot(places, mean, color=shade, label="its mean")
    upper.plot(values[seen], scores[seen], "o", color=BLACK, ms=2.5, label="trials")
    upper.axvline(values[count], color=VERMILION, lw=0.8, label="next trial")
    lower.fill_between(places, 0, expected_improvement(mean, std, scores[seen].min()), color=GREY, lw=0)
    lower.axvline(values[count], color=VERMILION, lw=0.8)
    if logarithmic:
        upper.set_xscale("log")


def surrogate(x: np.ndarray, y: np.ndarray, where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of a Gaussian process through (x, y), at ``where``."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import Matern, WhiteKernel
    from threadpoolctl import threadpool_limits

    low, span = where.min(), np.ptp(where)
    kernel = Matern(0.3, (0.1, 3.0), nu=2.5) + WhiteKernel(1e-2, (1e-6, 1.0))
    process = GaussianProcessRegressor(kernel, normalize_y=True, n_restarts_optimizer=1, random_state=0)
    with warnings.catch_warnings(), threadpool_limits(1):  # threads only hinder one another on matrices this small
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length at the end of its range
        process.fit(((x - low) / span)[:, None], y)
    mean, std = process.predict(((where - low) / span)[:, None], return_std=True)
    noise = process.kernel_.k2.noise_level * y.std() ** 2
    return mean, np.sqrt(np.maximum(std**2 - noise, 0))


def expected_improvement(mean: np.ndarray, std: np.ndarray, best: float) -> np.ndarray:
    """Mean of what a normal score would fall below the best one."""
    from scipy.special import ndtr

    with np.errstate(divide="ignore", invalid="ignore"):
        z = (best - mean) / std
        found = (best - mean) * ndtr(z) + std * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return np.where(std > 0, found, np.maximum(best - mean, 0))
