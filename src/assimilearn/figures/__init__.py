"""Figures that a paper would print: one file each, ``plot(**datasets) -> Figure``, drawn from the artifacts.

``FIGURES`` says which kinds of datasets each figure reads, ``REQUIRED`` without which of them it cannot be drawn; a
planner needs no Matplotlib to know.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from assimilearn.figures.inputs import FigureError
from assimilearn.figures.save import save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIGURES", "KINDS", "OF_STUDY", "REQUIRED", "FigureError", "plot", "save"]

KINDS = (
    "truth",
    "observations",
    "model",
    "analyses",
    "analysis_scores",
    "forecast_scores",
    "spectra",
    "tuning",
    "emulators",
    "polynomials",
    "loop_scores",
    "sweeps",
    "grids",
    "claims",
    "rows",
    "variations",
)

FIGURES: dict[str, tuple[str, ...]] = {
    "hovmoller": ("truth", "observations", "model", "analyses"),
    "analysis_error": ("analysis_scores", "forecast_scores"),
    "scoreboard": ("analysis_scores", "forecast_scores"),
    "ensemble_calibration": ("analysis_scores",),
    "forecast_skill": ("model", "forecast_scores"),
    "hovmoller_forecast": ("model", "forecast_scores"),
    "climate": ("model", "forecast_scores"),
    "lyapunov_spectrum": ("spectra",),
    "cross_validation": ("tuning",),
    "learning_curves": ("emulators",),
    "loop_convergence": ("loop_scores", "analysis_scores"),
    "coefficients": ("polynomials",),
    "rmse_against_members": ("sweeps", "claims"),
    "rmse_against_settings": ("grids",),
    "published": ("rows", "claims"),
    "sensitivity": ("rows", "variations"),
}

REQUIRED: dict[str, tuple[str, ...]] = {
    "hovmoller": ("observations", "analyses"),
    "analysis_error": ("analysis_scores",),
    "scoreboard": ("analysis_scores",),
    "ensemble_calibration": ("analysis_scores",),
    "forecast_skill": ("forecast_scores",),
    "hovmoller_forecast": ("forecast_scores",),
    "climate": ("model", "forecast_scores"),
    "lyapunov_spectrum": ("spectra",),
    "cross_validation": ("tuning",),
    "learning_curves": ("emulators",),
    "loop_convergence": ("loop_scores",),
    "coefficients": ("polynomials",),
    "rmse_against_members": ("sweeps",),
    "rmse_against_settings": ("grids",),
    "published": ("rows", "claims"),
    "sensitivity": ("rows", "variations"),
}

OF_STUDY = ("published", "sensitivity")
"""Figures of a whole study, not of one scenario."""


def plot(name: str, **datasets: Any) -> "Figure":
    """Draw the figure ``name``.

    Parameters
    ----------
    name : a key of ``FIGURES``
    **datasets
        By kind: ``truth``, ``observations``, ``model`` are Datasets; ``analyses``, ``analysis_scores``,
        ``forecast_scores``, ``spectra``, ``tuning``, ``emulators``, ``polynomials``, ``sweeps``, ``grids`` (sweeps that
        go over more than members) map names to Datasets, ``loop_scores`` names with the number of the cycle
        ("paper.3"), ``claims`` rows of the scorecard to published numbers, ``variations`` settings to their values by
        scenario; ``rows`` are those of the scorecard. Kinds that the figure does not read are left aside.

    Raises
    ------
    FigureError
        If there is no such figure or kind, or something the figure needs is missing.
    """
    if name not in FIGURES:
        raise FigureError(f"no figure is called {name!r}; there are {', '.join(FIGURES)}")
    unknown = [kind for kind in datasets if kind not in KINDS]
    if unknown:
        raise FigureError(f"no kind of dataset is called {', '.join(unknown)}; there are {', '.join(KINDS)}")
    read = {kind: value for kind, value in datasets.items() if kind in FIGURES[name]}
    return import_module(f"assimilearn.figures.{name}").plot(**read)
