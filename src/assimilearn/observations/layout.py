"""The one layout of observations: padded rows, a validity mask, valid entries first."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from assimilearn.periods import with_periods


def pack(
    times: np.ndarray,
    flags: np.ndarray,
    sites: np.ndarray,
    values: np.ndarray,
    error_std: np.ndarray,
    valid: np.ndarray,
    extra: Mapping[str, tuple[np.ndarray, Mapping[str, Any]]] | None = None,
) -> xr.Dataset:
    """The observations artifact.

    Parameters
    ----------
    times, flags : ndarray (time,)
        Observation times in MTU and their periods.
    sites, values, error_std, valid : ndarray (time, observation)
        Observed sites, what was seen there, its error standard deviation, and whether there is an observation at all.
        Valid entries may stand anywhere in a row; they keep their order.
    extra : {name: (ndarray (time, observation) or (time, observation, corner), attributes)}, optional
        Further variables, with the same order and 0 in the padding.

    Returns
    -------
    Dataset with ``value``, ``error_std``, ``site_index`` and ``valid`` (time, observation), as wide as the longest row.
    The padding holds NaN in ``value`` and ``error_std``, 0 in ``site_index`` and ``valid``.
    """
    order = np.argsort(~valid, axis=1, kind="stable")[:, : max(int(valid.sum(axis=1).max()), 1)]
    rows = np.arange(len(valid))[:, None]
    valid = valid[rows, order]
    dims = ("time", "observation")
    dataset = xr.Dataset(
        {
            "value": (
                dims,
                np.where(valid, values[rows, order], np.nan),
                {"units": "1", "long_name": "observed value"},
            ),
            "error_std": (
                dims,
                np.where(valid, error_std[rows, order], np.nan),
                {"units": "1", "long_name": "standard deviation of the observation error"},
            ),
            "site_index": (
                dims,
                np.where(valid, sites[rows, order], 0).astype(np.int32),
                {"units": "1", "long_name": "index of the observed site"},
            ),
            "valid": (
                dims,
                valid.astype(np.int8),
                {
                    "units": "1",
                    "long_name": "whether there is an observation",
                    "flag_values": np.array([0, 1], dtype=np.int8),
                    "flag_meanings": "padding observation",
                },
            ),
        },
        coords={"time": ("time", np.asarray(times, dtype=float), {"units": "MTU", "long_name": "time"})},
    )
    for name, (column, text) in (extra or {}).items():
        ordered = column[rows, order]
        there = valid if ordered.ndim == 2 else valid[..., None]
        padded = np.where(there, ordered, 0).astype(ordered.dtype)
        dataset[name] = ((*dims, "corner")[: ordered.ndim], padded, dict(text))
    return with_periods(dataset, flags)
