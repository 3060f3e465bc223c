"""Splits of a time series for cross-validation: blocks in time with gaps, as splitters of scikit-learn.

Neighbouring analyses are nearly equal, so a fold drawn at random is known already. Held-out parts are contiguous
blocks here, with a gap beside them that is used for nothing (Roberts et al. 2017, Ecography 40, 913-929; Racine 2000,
J. Econometrics 99, 39-61: hv-block cross-validation). Each splitter has ``split(X, y, groups)`` and ``get_n_splits``,
which is all that scikit-learn asks of its argument ``cv``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from assimilearn.errors import SettingsError
from assimilearn.periods import GAP, TEST, TRAIN

Split = tuple[np.ndarray, np.ndarray]
"""Indices to train on, indices held out."""

SHUFFLED = (
    "a series must not be split at random: neighbouring times are nearly equal, so what is held out would be known "
    "from the training times beside it, and the score would flatter: use blocked, expanding or sliding splits"
)


class Splitter(Protocol):
    """A cross-validation splitter, as scikit-learn takes it."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Split]:
        """Indices to train on and indices held out, once a fold."""
        ...

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of folds."""
        ...


@dataclass(frozen=True)
class Folds:
    """What the splits of a series share.

    Attributes
    ----------
    n_splits : number of folds
    gap : times left out between training and held-out times
    """

    n_splits: int
    gap: int = 0

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of folds."""
        return self.n_splits

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Split]:
        """Indices to train on and indices held out, once a fold, in time order.

        Raises
        ------
        SettingsError
            If there are not enough times, or a fold leaves nothing to train on.
        """
        times = len(X)
        for training, held_out in self._folds(times):
            if training.size == 0:
                raise SettingsError(f"gap: {self.gap} analysis times around a held-out block leave nothing to train on")
            yield training, held_out

    def _folds(self, times: int) -> Iterator[Split]:
        raise NotImplementedError

    def _blocks(self, times: int, count: int) -> list[np.ndarray]:
        if times < count:
            raise SettingsError(f"folds: {count} blocks cannot be cut from {times} training times")
        return np.array_split(np.arange(times), count)


class BlockedKFold(Folds):
    """Contiguous blocks, each held out once, with a gap on either side."""

    def _folds(self, times: int) -> Iterator[Split]:
        index = np.arange(times)
        for block in self._blocks(times, self.n_splits):
            yield index[(index < block[0] - self.gap) | (index > block[-1] + self.gap)], block


class ExpandingWindow(Folds):
    """Blocks held out in time order; all times before a block, but for the gap, train."""

    def _folds(self, times: int) -> Iterator[Split]:
        for block in self._blocks(times, self.n_splits + 1)[1:]:
            yield np.arange(max(block[0] - self.gap, 0)), block


class SlidingWindow(Folds):
    """Blocks held out in time order; as many times before a block, but for the gap, train as in every other fold."""

    def _folds(self, times: int) -> Iterator[Split]:
        blocks = self._blocks(times, self.n_splits + 1)
        length = max(blocks[0].size - self.gap, 0)
        for block in blocks[1:]:
            stop = max(block[0] - self.gap, 0)
            yield np.arange(stop - length, stop), block


class RealizationsOut:
    """Each realization, or group of them, held out once: independent runs need no gap.

    ``groups`` says of every row to which realization it belongs.
    """

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of realizations."""
        return np.unique(_given(groups)).size

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Split]:
        """Indices of all other realizations and of the one held out.

        Raises
        ------
        SettingsError
            If no groups are given, or all rows are of one.
        """
        labels = _given(groups)
        if np.unique(labels).size < 2:
            raise SettingsError("realizations: two or more are needed to hold one out")
        for label in np.unique(labels):
            yield np.flatnonzero(labels != label), np.flatnonzero(labels == label)


def _given(groups: Any) -> np.ndarray:
    if groups is None:
        raise SettingsError("realizations: say to which realization each row belongs (groups)")
    return np.asarray(groups)


SPLITTERS: dict[str, type[Folds]] = {
    "blocked": BlockedKFold,
    "expanding": ExpandingWindow,
    "sliding": SlidingWindow,
}
"""Name in a study -> splitter."""


def refuse_shuffled(splitter: Splitter, times: int) -> None:
    """Raise SettingsError if a splitter, of scikit-learn or a user, mixes training and held-out times.

    A held-out part may be one block, and training times may lie on either side of it. More runs of held-out times than
    that are a shuffled split.

    Parameters
    ----------
    splitter : any cross-validation splitter
    times : number of times that it is to split
    """
    for _, held_out in splitter.split(np.empty((times, 1))):
        if np.any(np.diff(np.sort(held_out)) != 1):
            raise SettingsError(SHUFFLED)


def fold_flags(flags: np.ndarray, splitter: Splitter, calibration: int = 0) -> list[np.ndarray]:
    """Period flags of every fold.

    Parameters
    ----------
    flags : ndarray (time,)
        Period flags of the study, without its test period.
    splitter : any splitter of a series
    calibration : int
        Last times of the training period that no fold uses: state-dependent errors are calibrated on them, so settings
        must not be chosen on them.

    Returns
    -------
    list of ndarray (time,), one a fold
        What is held out is the fold's test period; of the training period what the fold does not train on is a gap; all
        else is as in ``flags``.

    Raises
    ------
    ValueError
        If the test period is still there: a search must not see it.
    SettingsError
        If the split is shuffled, or leaves nothing to train on.
    """
    if np.any(flags == TEST):
        raise ValueError("drop the test period before the training period is split: a search must not see it")
    training = np.flatnonzero(flags == TRAIN)
    if calibration >= training.size:
        raise SettingsError(f"calibration: {calibration} of {training.size} training times leave nothing to tune on")
    used = training[: training.size - calibration]
    refuse_shuffled(splitter, used.size)
    result = []
    for train, held_out in splitter.split(np.empty((used.size, 1))):
        one = np.where(flags == TRAIN, GAP, flags)
        one[used[train]] = TRAIN
        one[used[held_out]] = TEST
        result.append(one)
    return result


def decorrelation_time(states: np.ndarray) -> int:
    """Time after which a record has forgotten its state, in steps of the record.

    1 + 2 sum_k rho(k), with rho the autocorrelation, its covariances averaged over sites, up to its first zero
    (Thiebaux & Zwiers 1984, J. Climate Appl. Meteor. 23, 800-811, eq. 2.1, for long series). Rounded up.

    Parameters
    ----------
    states : ndarray (time, site)
    """
    anomalies = states[np.isfinite(states).all(axis=1)]
    n = anomalies.shape[0]
    if n < 3:
        return 1
    anomalies = anomalies - anomalies.mean(axis=0)
    power = (np.abs(np.fft.rfft(anomalies, 2 * n, axis=0)) ** 2).sum(axis=1)
    covariance = np.fft.irfft(power, 2 * n)[:n] / np.arange(n, 0, -1)
    if not covariance[0] > 0:
        return 1
    rho = covariance[: n // 2] / covariance[0]
    zero = int(np.argmax(rho <= 0)) if (rho <= 0).any() else rho.size
    return int(np.ceil(1 + 2 * rho[1:zero].sum()))


def blocks(times: Sequence[int] | np.ndarray, count: int) -> list[np.ndarray]:
    """Contiguous blocks of ``times``, as many as ``count`` or as there are times."""
    index = np.asarray(times)
    return np.array_split(index, max(1, min(count, index.size)))
