"""One cycle of the loop: an emulator from the last analysis, an analysis with the new emulator.

Brajard, Carrassi, Bocquet & Bertino (2020), J. Comput. Sci. 44, 101171, algorithm of section 2.3. Here each cycle is
two artifacts, so a loop resumes at the cycle where it was killed. A loop that has stopped hands its last files on
unchanged, marked ``loop_status`` "stopped": the plan of a study is known before it runs, and the remaining cycles cost
nothing. Networks go on from the weights of the last cycle; their optimizer starts anew in each.
"""

from copy import deepcopy
from typing import Any

import numpy as np
import xarray as xr

from assimilearn.assimilation import AnalysisSettings, assimilate
from assimilearn.assimilation.background.of_analyses import climatology_of_analyses
from assimilearn.assimilation.selection import candidate
from assimilearn.emulators import open_emulator, train
from assimilearn.errors import FileError
from assimilearn.loops.stopping import Stopping, innovation_score, scores_of, scores_text, stopped
from assimilearn.settings import Settings
from assimilearn.tuning.analyses import TuneAnalysisSettings, tune_analysis
from assimilearn.tuning.chosen import chosen_for_analysis

STOPPED = "stopped"


def learn_again(
    analysis: xr.Dataset,
    observations: xr.Dataset,
    previous: xr.Dataset | None,
    settings: Settings,
    stopping: Stopping,
    rng: np.random.Generator,
    workers: int = 1,
) -> xr.Dataset:
    """The emulator of the next cycle.

    Parameters
    ----------
    analysis : Dataset
        Of the last cycle, or the one that the loop starts from.
    observations : Dataset
        For emulators that are fitted to windows of observations.
    previous : Dataset or None
        Emulator of the last cycle: training goes on from it where the method can. None in the first cycle.
    settings : settings of any emulator
    stopping : Stopping
    rng : numpy.random.Generator
    workers : int
        Threads of emulators that are fitted to windows.

    Returns
    -------
    Dataset of an emulator; that of the last cycle, with ``loop_status`` "stopped", if the loop goes no further.
    """
    if previous is not None and (has_stopped(analysis) or stopped(scores_of(analysis), stopping)):
        return previous.assign_attrs(loop_status=STOPPED)
    return train(analysis, settings, rng, observations=observations, previous=previous, workers=workers)


def assimilate_again(
    observations: xr.Dataset,
    emulator: xr.Dataset,
    previous: xr.Dataset,
    settings: AnalysisSettings,
    rng: np.random.Generator,
    search: TuneAnalysisSettings | None = None,
) -> xr.Dataset:
    """The analysis of a cycle, with the innovation scores of all cycles so far in ``innovation_scores``.

    Parameters
    ----------
    observations : Dataset
        As for :func:`assimilearn.assimilation.assimilate`.
    emulator : Dataset
        Of this cycle. If its training failed, the loop stops.
    previous : Dataset
        Analysis of the last cycle, or the one that the loop starts from. The climatology of its training period is that
        of the new analysis, whatever model there is besides.
    settings : settings of any assimilation method
    rng : numpy.random.Generator
    search : TuneAnalysisSettings, optional
        Of settings that are chosen anew in every cycle; the chosen ones are in the attribute ``tuned`` (JSON).

    Returns
    -------
    Dataset of an analysis; that of the last cycle, with ``loop_status`` "stopped", if the loop goes no further.

    Raises
    ------
    FileError
        If the very first emulator failed: there is no cycle to go back to.
    """
    scores = scores_of(previous)
    if has_stopped(emulator) or emulator.attrs["status"] == "failed":
        if not scores:
            raise FileError(
                f"the first emulator of the loop failed: {emulator.attrs.get('reason', 'no reason recorded')}"
            )
        return previous.assign_attrs(loop_status=STOPPED)
    climatology, model, tuned = climatology_of_analyses(previous), open_emulator(emulator), {}
    if search is not None:
        found = tune_analysis(observations, model, settings, search, climatology, deepcopy(rng))
        settings = candidate(settings, chosen_for_analysis(found))
        tuned = {"tuned": found.attrs["chosen"]}
    analysis = assimilate(observations, model, settings, climatology, rng).assign_attrs(tuned)
    scores = [*scores, innovation_score(analysis)]
    return analysis.assign_attrs(innovation_scores=scores_text(scores), model_kind="emulator")


def has_stopped(dataset: xr.Dataset) -> bool:
    """Whether a file of a loop was handed on by a loop that had stopped."""
    return bool(dataset.attrs.get("loop_status") == STOPPED)


def best_cycle(last: xr.Dataset) -> int:
    """The cycle, counted from 1, with the smallest innovation score, the first of equals.

    Parameters
    ----------
    last : Dataset
        Analysis of the last cycle.

    Raises
    ------
    FileError
        If it is not the analysis of a cycle.
    """
    scores = scores_of(last)
    if not scores:
        raise FileError("the last analysis has no innovation scores: it was not made in a cycle of a loop")
    return int(np.argmin(scores)) + 1


def kept(dataset: xr.Dataset, last: xr.Dataset) -> xr.Dataset:
    """An emulator or analysis of the best cycle as the result of the loop, with the scores that chose it.

    Parameters
    ----------
    dataset : Dataset
        Of the best cycle.
    last : Dataset
        Analysis of the last cycle.
    """
    scores = scores_of(last)
    attributes: dict[str, Any] = {
        "best_cycle": best_cycle(last),
        "cycles_run": len(scores),
        "innovation_scores": scores_text(scores),
    }
    of_cycle = ("cycle", "loop_status")
    return dataset.drop_attrs(deep=False).assign_attrs(
        {name: value for name, value in dataset.attrs.items() if name not in of_cycle} | attributes
    )
