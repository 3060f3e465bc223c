"""What analyses and forecasts are worth: scores in time, their means and uncertainties, the scorecard of a study.

Names are imported when they are first used: a figure that shows published numbers needs no compiler.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assimilearn.verification.analyses import score_analysis
    from assimilearn.verification.claims import Claim
    from assimilearn.verification.forecasts import ForecastSettings, score_forecasts
    from assimilearn.verification.scorecards import Row, read_scorecard, scorecard, write_scorecard

__all__ = [
    "Claim",
    "ForecastSettings",
    "Row",
    "read_scorecard",
    "score_analysis",
    "score_forecasts",
    "scorecard",
    "write_scorecard",
]

PLACES = {
    "Claim": "claims",
    "ForecastSettings": "forecasts",
    "score_analysis": "analyses",
    "score_forecasts": "forecasts",
}


def __getattr__(name: str) -> Any:
    """One of the names above, from the file that it stands in."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{PLACES.get(name, 'scorecards')}"), name)
