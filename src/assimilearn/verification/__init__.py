"""What analyses and forecasts are worth: scores in time, their means and uncertainties, the scorecard of a study."""

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
