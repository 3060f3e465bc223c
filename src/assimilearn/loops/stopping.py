"""When a loop has done its work, or is doing harm: judged by innovations, never by the truth.

A worse emulator makes a worse analysis, and that a worse emulator. The rms of the innovations over the validation
period sees it: forecasts that start from worse analyses with a worse model miss new observations by more.
"""

import json
from collections.abc import Sequence

import numpy as np
import xarray as xr
from pydantic import Field

from assimilearn.periods import select_period
from assimilearn.settings import Settings


class Stopping(Settings):
    """When a loop stops before its last cycle."""

    patience: int = Field(3, ge=1, description="cycles without a better innovation score after which the loop stops")
    worsening: float = Field(
        1.2, gt=1, description="stop at once when the innovation score exceeds the best one by this factor"
    )


def innovation_score(analysis: xr.Dataset) -> float:
    """Root mean square of the innovations over the validation period; infinite if the filter diverged."""
    innovation = select_period(analysis, "validation")["innovation"].values
    seen = innovation[np.isfinite(innovation)]
    if analysis.attrs.get("status") == "diverged" or seen.size == 0:
        return float("inf")
    return float(np.sqrt(np.mean(np.square(seen, dtype=float))))


def stopped(scores: Sequence[float], stopping: Stopping) -> bool:
    """Whether a loop with the innovation scores of its cycles so far goes no further."""
    if not scores:
        return False
    best = int(np.argmin(scores))
    worse = not np.isfinite(scores[-1]) or scores[-1] > stopping.worsening * scores[best]
    return worse or len(scores) - 1 - best >= stopping.patience


def scores_of(analysis: xr.Dataset) -> list[float]:
    """Innovation scores of all cycles up to the one that made ``analysis``.

    None for the analysis that a loop starts from, be it the result of another loop.
    """
    if "best_cycle" in analysis.attrs:
        return []
    texts = json.loads(analysis.attrs.get("innovation_scores", "[]"))
    return [float("inf") if text is None else float(text) for text in texts]


def scores_text(scores: Sequence[float]) -> str:
    """``scores`` as an attribute; JSON has no infinity, so a diverged cycle is null."""
    return json.dumps([score if np.isfinite(score) else None for score in scores])
