"""Why is the increment so small? Every observation of one time, and what the analysis made of it.

Alone, an observation with error variance r of something that the forecast gives with variance s^2 moves the analysis
there by the gain s^2 / (s^2 + r) times its innovation. Beside that stands the increment that was obtained, which the
other observations have a part in. So a small increment has one of few reasons: the forecast is sure of itself, the
observation is not, both agree already, the observation was rejected, or others pull the other way.
"""

import numpy as np
import xarray as xr

from assimilearn.errors import FileError
from assimilearn.models.geometry import geometry_of
from assimilearn.observations.operators import operator_of, rows_of
from assimilearn.observations.rows import observed_values
from assimilearn.verification.matching import at_times

LARGE = 3.0  # standard deviations of an innovation that ought to be rare: 3 in 1000
SURE = 0.1  # gain below which the forecast outweighs the observation by far
APART = 0.5  # relative difference between expected and obtained increment that is worth a remark
ZERO = 0.1  # innovation, in its standard deviations, below which no increment is to be expected

LONG_NAMES = {
    "site": "observed site",
    "value": "observed value",
    "forecast": "what the forecast expects of the observation",
    "innovation": "observation minus forecast",
    "error_std": "standard deviation of the observation error",
    "spread": "standard deviation of the forecast of the observation",
    "gain": "share of the innovation that one observation alone would correct",
    "expected_increment": "gain times innovation",
    "increment": "analysis minus forecast, as the observation would see it",
    "ratio": "increment over expected increment",
    "remark": "the likely reason",
}


def explain(analysis: xr.Dataset, observations: xr.Dataset, time: float) -> xr.Dataset:
    """Innovation, gain and increment of every valid observation at the analysis time nearest to ``time``.

    Parameters
    ----------
    analysis : Dataset
        An analysis with forecasts.
    observations : Dataset
        Those that it used.
    time : float
        MTU.

    Returns
    -------
    Dataset with the variables of ``LONG_NAMES`` (observation), the scalar coordinate ``time``, and the attribute
    ``chi_square``: the mean square of innovations over their predicted standard deviations, 1 where the method knows
    its errors.

    Raises
    ------
    FileError
        If the time is outside the analysis, nothing was observed then, or there is no forecast.
    """
    k = _nearest(analysis["time"].values, time)
    now = analysis.isel(time=k)
    seen = at_times(observations, analysis["time"].values[k : k + 1], "observations file").isel(time=0)
    valid = seen["valid"].values == 1
    if not valid.any():
        raise FileError(f"nothing was observed at {float(now['time']):g} MTU")
    if not np.isfinite(now["forecast_mean"].values).all():
        raise FileError(f"there is no forecast at {float(now['time']):g} MTU to correct")
    sites = seen["site_index"].values[valid].astype(np.int64)
    one = seen.expand_dims("time").transpose("time", "observation", ...)
    operator = operator_of(one, geometry_of({**observations.attrs, "size": analysis.sizes["site"]}))
    rows = rows_of(one)[0, valid]
    after, before = (
        observed_values(now[name].values.astype(float), rows, operator) for name in ("mean", "forecast_mean")
    )
    innovation, std = (now[name].values[valid].astype(float) for name in ("innovation", "innovation_std"))
    error_std = seen["error_std"].values[valid]
    spread = np.sqrt(np.maximum(std**2 - error_std**2, 0))
    gain, increment = (spread / std) ** 2, after - before
    expected = gain * innovation
    columns = {
        "site": sites,
        "value": seen["value"].values[valid],
        "forecast": seen["value"].values[valid] - innovation,
        "innovation": innovation,
        "error_std": error_std,
        "spread": spread,
        "gain": gain,
        "expected_increment": expected,
        "increment": increment,
        "ratio": np.divide(increment, expected, out=np.full(expected.size, np.nan), where=expected != 0),
    }
    rejected = now["rejected"].values[valid] == 1 if "rejected" in now else np.zeros(sites.size, bool)
    columns["remark"] = np.array(
        [remark(*row) for row in zip(innovation, std, gain, expected, increment, rejected, strict=True)], dtype=object
    )
    dataset = xr.Dataset(
        {n: ("observation", v, {"units": "1", "long_name": LONG_NAMES[n]}) for n, v in columns.items()},
        coords={"time": ((), float(now["time"]), {"units": "MTU", "long_name": "time"})},
    )
    return dataset.assign_attrs(chi_square=float(np.mean((innovation / std) ** 2)))


def remark(innovation: float, std: float, gain: float, expected: float, increment: float, rejected: bool) -> str:
    """The likely reason of an increment: the first that applies."""
    surprise = abs(innovation) / std
    if rejected:
        return f"rejected by the background check, at {surprise:.1f} standard deviations"
    if surprise > LARGE:
        return f"overconfident: innovation of {surprise:.1f} standard deviations; spread or error_std is too small"
    if surprise < ZERO:
        return "forecast and observation agree"
    if gain < SURE:
        return "the forecast is far more certain than the observation"
    if expected * increment < 0:
        return "other observations pull the other way"
    if abs(increment) < (1 - APART) * abs(expected):
        return "other observations hold it back"
    if abs(increment) > (1 + APART) * abs(expected):
        return "other observations pull the same way"
    return ""


def explanation(explained: xr.Dataset) -> str:
    """The table as text, with a line above that says how the innovations compare to what was expected of them."""
    chi_square, count = explained.attrs["chi_square"], explained.sizes["observation"]
    rms = {name: float(np.sqrt((explained[name] ** 2).mean())) for name in ("innovation", "increment", "spread")}
    lines = [
        f"time {float(explained['time']):g} MTU, {count} observations: rms innovation {rms['innovation']:.3g}, "
        f"forecast spread {rms['spread']:.3g}, increment {rms['increment']:.3g}; "
        f"mean square of innovation / predicted std {chi_square:.2f} (1 is right, more is overconfident)",
        "",
    ]
    heads = [name.replace("expected_increment", "expected") for name in LONG_NAMES]
    lines.append(" ".join(f"{head:>10}" for head in heads[:-1]) + "  remark")
    for o in range(count):
        row = explained.isel(observation=o)
        cells = [f"{int(row['site']):>10}", *(f"{float(row[name]):>10.3g}" for name in list(LONG_NAMES)[1:-1])]
        lines.append((" ".join(cells) + f"  {row['remark'].item()}").rstrip())
    return "\n".join(lines) + "\n"


def _nearest(times: np.ndarray, time: float) -> int:
    """Index of the analysis time nearest to ``time``, which must not lie outside of all."""
    margin = np.diff(times).max() / 2 if times.size > 1 else 0.0
    if not times[0] - margin <= time <= times[-1] + margin:
        raise FileError(f"there is no analysis at {time:g} MTU: they go from {times[0]:g} to {times[-1]:g} MTU")
    return int(np.abs(times - time).argmin())
