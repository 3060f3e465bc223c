"""Figures that a paper would print: one file each, ``plot(**datasets) -> Figure``, drawn from the artifacts.

``FIGURES`` says which kinds of datasets each figure reads, and without which of them it cannot be drawn; a planner
needs no Matplotlib to know.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from assimilearn.figures import suits
from assimilearn.figures.inputs import FigureError, geometry_given
from assimilearn.figures.save import save
from assimilearn.registry import part_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from assimilearn.models.geometry import Geometry

__all__ = ["FIGURES", "KINDS", "FigureError", "Reads", "plot", "save"]

KINDS = (
    "truth",
    "observations",
    "withheld",
    "model",
    "analyses",
    "analysis_scores",
    "forecast_scores",
    "spectra",
    "one_steps",
    "verified_forecasts",
    "tuning",
    "surrogates",
    "complexities",
    "data_curves",
    "costs",
    "tuned_analyses",
    "classifier_scores",
    "emulators",
    "trainings",
    "polynomials",
    "loop_scores",
    "explanations",
    "sweeps",
    "grids",
    "claims",
    "rows",
    "variations",
)


class Reads(NamedTuple):
    """Kinds of datasets that a figure reads.

    Attributes
    ----------
    needed : without these it cannot be drawn
    shown : these it shows too, where they are given
    of_study : whether it is drawn of a whole study, and not of one scenario
    unsuited : why it cannot show models of a geometry, None where it can; of any geometry by default
    """

    needed: tuple[str, ...]
    shown: tuple[str, ...] = ()
    of_study: bool = False
    unsuited: "Callable[[Geometry], str | None]" = lambda geometry: None

    @property
    def kinds(self) -> tuple[str, ...]:
        """All kinds that it reads."""
        return (*self.needed, *self.shown)


FIGURES: dict[str, Reads] = {
    "hovmoller": Reads(("observations", "analyses"), ("truth", "model"), unsuited=suits.one_axis),
    "maps": Reads(("observations", "analyses"), ("truth",), unsuited=suits.plane),
    "spatial_spectra": Reads(("analyses",), ("truth",), unsuited=suits.flat_plane),
    "time_series": Reads(("observations", "analyses"), ("truth",), unsuited=suits.no_grid),
    "station_map": Reads(("observations", "analyses"), ("withheld",), unsuited=suits.placed_stations),
    "phase_portrait": Reads(("analyses",), ("truth",), unsuited=suits.few_variables),
    "analysis_error": Reads(("analysis_scores",), ("forecast_scores",)),
    "scoreboard": Reads(("analysis_scores",), ("forecast_scores",)),
    "ensemble_calibration": Reads(("analysis_scores",)),
    "record_skill": Reads(("verified_forecasts",)),
    "forecast_skill": Reads(("forecast_scores",), ("model",)),
    "hovmoller_forecast": Reads(("forecast_scores",), ("model",), unsuited=suits.one_field_on_one_axis),
    "climate": Reads(("model", "forecast_scores")),
    "lyapunov_spectrum": Reads(("spectra",)),
    "one_step_and_free_run": Reads(("one_steps",)),
    "cost_against_skill": Reads(("costs", "forecast_scores")),
    "reliability": Reads(("classifier_scores",)),
    "fitting": Reads(("complexities",)),
    "skill_against_data": Reads(("data_curves",)),
    "cross_validation": Reads(("tuning",)),
    "search_progress": Reads(("tuning",)),
    "search_surrogate": Reads(("surrogates",)),
    "search_test": Reads(("tuned_analyses", "analysis_scores"), ("tuning", "forecast_scores")),
    "learning_curves": Reads(("emulators",)),
    "training": Reads(("trainings",)),
    "loop_convergence": Reads(("loop_scores",), ("analysis_scores",)),
    "coefficients": Reads(("polynomials",)),
    "explanations": Reads(("explanations",)),
    "rmse_against_members": Reads(("sweeps",), ("claims",)),
    "rmse_against_settings": Reads(("grids",)),
    "published": Reads(("rows", "claims"), of_study=True),
    "sensitivity": Reads(("rows", "variations"), of_study=True),
}


def plot(name: str, **datasets: Any) -> "Figure":
    """Draw the figure ``name``.

    Parameters
    ----------
    name : a key of ``FIGURES``
    **datasets
        By kind: ``truth``, ``observations``, ``withheld``, ``model`` are Datasets; ``analyses``, ``analysis_scores``,
        ``forecast_scores``, ``spectra``, ``one_steps``, ``verified_forecasts``, ``tuning``, ``complexities`` (searches
        of one number), ``data_curves`` (those of the number of analyses), ``costs``, ``classifier_scores``,
        ``emulators``, ``trainings`` (networks of one scenario beside each other), ``polynomials``, ``explanations``,
        ``sweeps``, ``grids`` (sweeps that go over more than members) map names to Datasets, ``loop_scores`` names with
        the number of the cycle ("paper.3"), ``claims`` rows of the scorecard to published numbers, ``variations``
        settings to their values by scenario; ``rows`` are those of the scorecard.
        Kinds that the figure does not read are left aside.

    Raises
    ------
    FigureError
        If there is no such figure or kind, something the figure needs is missing, or it cannot show the geometry.
    """
    if name not in FIGURES:
        raise FigureError(f"no figure is called {name!r}; there are {', '.join(FIGURES)}")
    unknown = [kind for kind in datasets if kind not in KINDS]
    if unknown:
        raise FigureError(f"no kind of dataset is called {', '.join(unknown)}; there are {', '.join(KINDS)}")
    read = {kind: value for kind, value in datasets.items() if kind in FIGURES[name].kinds}
    geometry = geometry_given(read)
    reason = None if geometry is None else FIGURES[name].unsuited(geometry)
    if reason is not None:
        raise FigureError(f"the figure {name!r} {reason}")
    return part_of("figure", name).implementation.plot(**read)
