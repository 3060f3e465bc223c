"""Records as people have them, brought to one of the forms of :mod:`assimilearn.observations.forms`.

* NetCDF: one or more variables (time), (time, station), (time, latitude, longitude) or with two-dimensional latitudes
  and longitudes; what is a time, a position or the name of a station is told by its name or its CF attributes.
* A table in long form: a line for each time and station, with a column for each variable.

The sites of the record are its stations, or the points of its grid that are ever observed, field by field. A grid that
is complete and equally spaced stays one. Names that the study gives (setting ``names``) come before all others.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from assimilearn.errors import FileError
from assimilearn.models.geometry import Geometry, grid, section, stations
from assimilearn.observations.brought import read_brought
from assimilearn.observations.dates import OF_DATES, seconds_of_dates
from assimilearn.observations.record_settings import Names, RecordSettings
from assimilearn.observations.tables import TABLES, Table, read_table

KNOWN: dict[str, tuple[str, ...]] = {
    "time": ("time", "date", "datetime"),
    "station": ("station", "station_name", "station_id", "name", "id", "site"),
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "lon", "long"),
    "x": ("x",),
    "y": ("y",),
    "error_std": ("error_std",),
}
"""What things are commonly called, in lower case."""
AXES = (("latitude", "longitude"), ("y", "x"))
"""Pairs of names of the axes of positions; the first of which anything is found is taken."""
UNITS = {
    "latitude": {"degrees_north", "degree_north", "degree_n", "degrees_n"},
    "longitude": {"degrees_east", "degree_east", "degree_e", "degrees_e"},
}
MISSING = {"", "na", "n/a", "nan", "null", "none", "-", ".", "m", "missing"}
"""Fields of a table that say that there is no value, in lower case."""
MOST = 1_000_000  # sites of a table: a larger number of one is a mistake
EQUAL = 1e-4  # of a spacing: grid points that deviate by less are equally spaced


class Places(NamedTuple):
    """Where the values of one field stand.

    Attributes
    ----------
    names : of the stations
    coordinates : {axis: (station,)}
    units : {axis: units}
    shape : of the grid, where the stations are all points of one that is regular
    """

    names: list[str]
    coordinates: dict[str, np.ndarray]
    units: dict[str, str]
    shape: tuple[int, ...] = ()

    def geometry(self, fields: Mapping[str, str]) -> Geometry:
        """The geometry of ``fields`` {name: units} that stand here."""
        if not self.shape:
            return stations(fields, self.names, self.coordinates, self.units)
        ends = {name: (float(values[0]), float(values[-1])) for name, values in self.coordinates.items()}
        shapes = dict.fromkeys(fields, self.shape)
        if "latitude" in ends:
            found = section(shapes, ends["latitude"], ends["longitude"])
        else:
            steps = [(ends[a][1] - ends[a][0]) / (n - 1) for a, n in zip(("y", "x"), self.shape, strict=True)]
            found = grid(shapes, steps, periodic=False)
            axes = [axis.model_copy(update={"origin": ends[axis.name][0]}) for axis in found.axes]
            found = found.model_copy(update={"axes": tuple(axes)})
        named = [field.model_copy(update={"units": fields[field.name]}) for field in found.fields]
        return found.model_copy(update={"fields": tuple(named)})


def read_record(path: str | Path, settings: RecordSettings) -> xr.Dataset:
    """Observations of a file, in one of the forms, with the attribute ``geometry`` where it says where its sites are.

    Raises
    ------
    FileError
        If the file cannot be read, or it is not clear which of its variables or columns is what.
    """
    path = Path(path)
    if path.suffix.lower() in TABLES:
        return from_table(
            path, read_table(path, "a header with names is needed, then a line for each observation"), settings
        )
    dataset = read_brought(path)
    try:
        return from_variables(dataset, settings)
    except FileError as error:
        raise FileError(f"{path}: {error}") from error


# ---- NetCDF ---------------------------------------------------------------------------------------------------------


def from_variables(dataset: xr.Dataset, settings: RecordSettings) -> xr.Dataset:
    """One of the forms from the variables of a NetCDF file; a file that has one of them already keeps it."""
    time = _named(dataset, "time", settings.names)
    if time is None:
        times = [str(n) for n, v in dataset.variables.items() if " since " in str(v.attrs.get("units", ""))]
        if len(times) != 1:
            raise FileError(
                "observations need the coordinate time; the file holds "
                f"{listed(dataset.variables)}: say which is which under `names`"
            )
        (time,) = times
    if settings.time_units is not None:
        dataset[time].attrs.setdefault("units", settings.time_units)
    error_std = _named(dataset, "error_std", settings.names)
    renamed = {old: new for old, new in ((time, "time"), (error_std, "error_std")) if old is not None and old != new}
    if not settings.fields and ("observations" in dataset or {"value", "site_index"} <= set(dataset.variables)):
        return _in_form(dataset.rename(renamed), settings)
    chosen = _chosen(dataset, settings, time, error_std)
    if dataset[time].ndim != 1:
        raise FileError(f"time must have one dimension; it has {listed(dataset[time].dims) or 'none'}")
    (along,) = dataset[time].dims
    others = [dim for dim in dataset[next(iter(chosen.values()))].dims if dim != along]
    for name in chosen.values():
        if set(dataset[name].dims) != {along, *others}:
            raise FileError(
                f"{name} has the dimensions {listed(dataset[name].dims)}, others {listed([along, *others])}"
            )
    values = [_numbers(dataset, name, (along, *others)).reshape(dataset.sizes[along], -1) for name in chosen.values()]
    places, kept = _places(dataset, [str(dim) for dim in others], settings.names, np.stack(values))
    units = {field: str(dataset[name].attrs.get("units", "1")) or "1" for field, name in chosen.items()}
    geometry = places.geometry(units)
    found = xr.Dataset(
        {"observations": (("time", "site"), np.concatenate([part[:, kept] for part in values], axis=1))},
        {"time": xr.Variable("time", dataset[time].values, dataset[time].attrs)},
        {name: value for name, value in dataset.attrs.items() if name == "error_std"},
    )
    if error_std is not None:
        shape = (dataset.sizes[along], *(dataset.sizes[dim] for dim in others))
        std = dataset[error_std].variable
        std = std.set_dims(dict(zip((along, *others), shape, strict=True))).transpose(along, *others)
        std_rows = std.values.astype(float).reshape(shape[0], -1)[:, kept]
        found["error_std"] = (("time", "site"), np.tile(std_rows, (1, len(chosen))), std.attrs)
    if "error_std" not in found and len(chosen) == 1 and "error_std" in dataset[next(iter(chosen.values()))].attrs:
        found.attrs["error_std"] = dataset[next(iter(chosen.values()))].attrs["error_std"]
    return _with_errors(found.assign_attrs(size=geometry.size, **geometry.attributes), geometry, settings)


def _in_form(dataset: xr.Dataset, settings: RecordSettings) -> xr.Dataset:
    """A file in one of the forms, with the geometry of its stations where it has sites of its own."""
    if "observations" not in dataset or "site" not in dataset["observations"].dims:
        return dataset
    places, _ = _places(dataset, ["site"], settings.names, None)
    if "site" in dataset.variables and dataset["site"].dtype.kind in "iuf" and not places.coordinates:
        return dataset
    if "site" in dataset.variables and dataset["site"].dtype.kind not in "iuf":
        dataset = dataset.drop_vars("site")
    geometry = places.geometry({"value": str(dataset["observations"].attrs.get("units", "1")) or "1"})
    return _with_errors(dataset.assign_attrs(geometry.attributes), geometry, settings)


def _named(dataset: xr.Dataset, what: str, names: Names) -> str | None:
    """The variable that is a time, a latitude, ...: the one that the study names, or by name, or by CF attributes."""
    given = names.of(what)
    if given is not None:
        if given not in dataset.variables:
            raise FileError(f"there is no variable {given!r} (`names.{what}`); there are {listed(dataset.variables)}")
        return given
    lower = {str(name).lower(): str(name) for name in dataset.variables}
    called = next((lower[name] for name in KNOWN[what] if name in lower), None)
    told = [
        str(name)
        for name, variable in dataset.variables.items()
        if str(variable.attrs.get("units", "")).lower() in UNITS.get(what, ())
        or variable.attrs.get("standard_name") == what
    ]
    return called if called is not None else next(iter(told), None)


def _chosen(dataset: xr.Dataset, settings: RecordSettings, time: str, error_std: str | None) -> dict[str, str]:
    """Field -> variable: those that the study names, or the only one in time that holds measured numbers."""
    if settings.fields:
        absent = [name for name in settings.fields.values() if name not in dataset.variables]
        if absent:
            raise FileError(
                f"there is no variable {listed(absent)} (`variables`); there are {listed(dataset.variables)}"
            )
        return settings.fields
    known = {time, error_std, *(_named(dataset, what, settings.names) for what in KNOWN)}
    bounds = {str(v.attrs.get("bounds", "")) for v in dataset.variables.values()}
    found = [
        str(name)
        for name, variable in dataset.variables.items()
        if name not in known | bounds and dataset[time].dims[0] in variable.dims and variable.dtype.kind in "fiu"
    ]
    if len(found) != 1:
        what = f"it holds {listed(found)}" if found else f"it holds none, but {listed(dataset.variables)}"
        raise FileError(f"one variable in time is looked for, and {what}: name those observed under `variables`")
    return {found[0]: found[0]}


def _numbers(dataset: xr.Dataset, name: str, dims: tuple[Any, ...]) -> np.ndarray:
    """The numbers of a variable as floats, its dimensions in the order ``dims``."""
    variable = dataset[name].variable
    if variable.dtype.kind not in "fiub":
        raise FileError(f"{name} must hold numbers; it holds {variable.dtype}")
    return variable.transpose(*dims).values.astype(float)


def _places(
    dataset: xr.Dataset, others: list[str], names: Names, values: np.ndarray | None
) -> tuple[Places, np.ndarray]:
    """Where the values along the dimensions ``others`` stand, and which of them (point,) are ever observed."""
    shape = tuple(dataset.sizes[dim] for dim in others)
    count = int(np.prod(shape, dtype=int))
    coordinates, units = _coordinates(dataset, others, names)
    kept = np.arange(count)
    if len(others) == 2:
        seen = np.isfinite(values).any(axis=(0, 1)) if values is not None else np.ones(count, bool)
        axes = {a: values_of.reshape(shape) for a, values_of in coordinates.items()}
        if seen.all() and _is_regular(axes):
            first, second = axes
            ordered = {first: axes[first][:, 0], second: axes[second][0]}
            rising = all(a[-1] > a[0] for a in ordered.values())
            if rising:
                return Places([], ordered, units, shape), kept
        kept = np.flatnonzero(seen)
        coordinates = {a: v[kept] for a, v in coordinates.items()}
    elif len(others) > 2:
        raise FileError(
            f"values along {listed(others)}: choose one of all levels or the like, and leave time and places"
        )
    return Places(_station_names(dataset, others, names, coordinates, kept), coordinates, units), kept


def _coordinates(dataset: xr.Dataset, others: list[str], names: Names) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Coordinates (point,) of all points along the dimensions ``others``, and their units."""
    for axes in AXES:
        found, units = {}, {}
        for axis in axes:
            name = _named(dataset, axis, names)
            if name is None or not set(dataset[name].dims) <= set(others) or dataset[name].dtype.kind not in "fiu":
                continue
            sizes = {dim: dataset.sizes[dim] for dim in others}
            found[axis] = dataset[name].variable.set_dims(sizes).transpose(*others).values.astype(float).ravel()
            units[axis] = str(dataset[name].attrs.get("units", "1")) or "1"
            if not np.isfinite(found[axis]).all():
                raise FileError(f"{name} is missing at {np.count_nonzero(~np.isfinite(found[axis]))} places")
        if found:
            return found, units
    return {}, {}


def _is_regular(axes: Mapping[str, np.ndarray]) -> bool:
    """Whether two coordinates (row, column) are those of an equally spaced grid, first rows and then columns."""
    if len(axes) != 2:
        return False
    rows, columns = axes.values()
    if min(rows.shape) < 2 or np.ptp(rows, axis=1).any() or np.ptp(columns, axis=0).any():
        return False
    steps = [np.diff(rows[:, 0]), np.diff(columns[0])]
    return all(np.ptp(step) <= EQUAL * np.abs(step).mean() for step in steps)


def _station_names(
    dataset: xr.Dataset, others: list[str], names: Names, coordinates: Mapping[str, np.ndarray], kept: np.ndarray
) -> list[str]:
    """Names of the stations: as the file has them, or of grid points their coordinates, or numbers from 0."""
    if len(others) == 1:
        (dim,) = others
        named = _named(dataset, "station", names)
        texts = [str(n) for n, v in dataset.variables.items() if v.dims == (dim,) and v.dtype.kind in "OSU"]
        for name in [named, *texts, dim]:
            if name in dataset.variables and dataset[name].dims == (dim,):
                found = [_text(value) for value in dataset[name].values]
                if len(set(found)) == len(found):
                    return found
    if len(others) == 2 and len(coordinates) == 2:
        first, second = coordinates.values()
        return [f"{a:g} {b:g}" for a, b in zip(first, second, strict=True)]
    return [str(k) for k in range(kept.size)]


def _text(value: Any) -> str:
    """A name, of whatever type it is kept in."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value).strip()


# ---- tables ---------------------------------------------------------------------------------------------------------


def from_table(path: Path, table: Table, settings: RecordSettings) -> xr.Dataset:
    """A list of observations from a table with a line for each time and station."""
    column = {what: _column(path, table, what, settings.names) for what in KNOWN}
    if column["time"] is None:
        raise FileError(f"{path}: no column is the time; there are {listed(table.names)}: name it under `names`")
    chosen = _columns_chosen(path, table, settings, column)
    texts = [row[column["time"]].strip() for row in table.rows]
    try:
        time, told = _times(texts, settings)
    except FileError as error:
        raise FileError(f"{path}: {error}") from error
    place = column["station"]
    of_rows = [row[place].strip() for row in table.rows] if place is not None else ["0"] * len(table.rows)
    if place is not None and table.names[place].lower() == "site" and all(text.isdecimal() for text in of_rows):
        number = np.array([int(text) for text in of_rows])  # numbers of the sites themselves, from 0
        names = [str(k) for k in range(min(int(number.max()), MOST) + 1)]
    else:
        names = list(dict.fromkeys(of_rows))
        number = _numbered(of_rows, names)
    coordinates: dict[str, np.ndarray] = {}
    for axes in AXES:
        for axis in axes:
            if not coordinates.keys() - set(axes) and (at := column[axis]) is not None and place is not None:
                coordinates[axis] = _one_each(path, axis, _floats(path, table, at), number, names)
    geometry = stations(dict.fromkeys(chosen, "1"), names, coordinates)
    values = [_floats(path, table, at) for at in chosen.values()]
    entries = {
        "value": ("entry", np.concatenate(values)),
        "site_index": ("entry", np.concatenate([number + k * len(names) for k in range(len(values))])),
        "time": ("entry", np.tile(time, len(values)), told),
    }
    if (at := column["error_std"]) is not None:
        entries["error_std"] = ("entry", np.tile(_floats(path, table, at), len(values)))
    found = xr.Dataset(entries, attrs={"size": geometry.size, **geometry.attributes})
    found = found.isel(entry=np.flatnonzero(np.isfinite(found["value"].values)))
    if not found.sizes["entry"]:
        raise FileError(f"{path}: it holds no value of {listed(chosen)}")
    return _with_errors(found, geometry, settings)


def _numbered(of_rows: list[str], names: list[str]) -> np.ndarray:
    """The number of the station of every row."""
    number = {name: k for k, name in enumerate(names)}
    return np.array([number[name] for name in of_rows])


def _column(path: Path, table: Table, what: str, names: Names) -> int | None:
    """Where a column stands: the one that the study names, or one that is commonly called so."""
    lower = [name.lower() for name in table.names]
    given = names.of(what)
    if given is not None and given not in table.names:
        raise FileError(f"{path}: there is no column {given!r} (`names.{what}`); there are {listed(table.names)}")
    if given is not None:
        return table.names.index(given)
    return next((lower.index(name) for name in KNOWN[what] if lower.count(name) == 1), None)


def _columns_chosen(
    path: Path, table: Table, settings: RecordSettings, column: Mapping[str, int | None]
) -> dict[str, int]:
    """Field -> column: those that the study names, or one called value, or the only one left."""
    absent = [name for name in settings.fields.values() if name not in table.names]
    if absent:
        raise FileError(f"{path}: there is no column {listed(absent)} (`variables`); there are {listed(table.names)}")
    if settings.fields:
        return {field: table.names.index(name) for field, name in settings.fields.items()}
    left = [k for k in range(len(table.names)) if k not in column.values()]
    called = [k for k in left if table.names[k].lower() == "value"] or left
    if len(called) != 1:
        raise FileError(
            f"{path}: which column is observed? There are {listed(table.names[k] for k in left) or 'none left'}: name "
            "it under `variables`"
        )
    return {table.names[called[0]]: called[0]}


def _times(texts: list[str], settings: RecordSettings) -> tuple[np.ndarray, dict[str, str]]:
    """Times of a table as numbers, and their attributes."""
    try:
        numbers = np.array([float(text) for text in texts])
    except ValueError:
        return seconds_of_dates(texts), dict(OF_DATES)
    return numbers, {} if settings.time_units is None else {"units": settings.time_units}


def _floats(path: Path, table: Table, at: int) -> np.ndarray:
    """A column as numbers, (row,); NaN where it says that there is none."""
    found = np.full(len(table.rows), np.nan)
    for k, row in enumerate(table.rows):
        text = row[at].strip()
        if text.lower() in MISSING:
            continue
        try:
            found[k] = float(text)
        except ValueError as error:
            message = f"{path}, line {table.lines[k]}: {table.names[at]} is {text!r}, not a number"
            raise FileError(message) from error
    return found


def _one_each(path: Path, axis: str, values: np.ndarray, number: np.ndarray, names: list[str]) -> np.ndarray:
    """The one coordinate of each station, (station,)."""
    found = np.full(len(names), np.nan)
    for k, name in enumerate(names):
        own = np.unique(values[(number == k) & np.isfinite(values)])
        if own.size != 1:
            many = f"{own.size} different numbers" if own.size else "none"
            raise FileError(f"{path}: the station {name!r} has {many} as its {axis}: a station stands still")
        found[k] = own[0]
    return found


# ---- errors ---------------------------------------------------------------------------------------------------------


def _with_errors(dataset: xr.Dataset, geometry: Geometry, settings: RecordSettings) -> xr.Dataset:
    """The errors that the study gives by the names of fields or stations, as a variable."""
    if not isinstance(settings.error_std, dict):
        return dataset
    named = geometry.stations.names if geometry.stations is not None else ()
    unknown = [name for name in settings.error_std if name not in geometry.names and name not in named]
    if unknown:
        raise FileError(
            f"error_std: {listed(unknown)} is neither a field nor a station; fields are {listed(geometry.names)}, "
            f"stations {listed(named[:20]) or 'without names'}"
        )
    std = np.full(geometry.size, np.nan)
    for name, where in geometry.slices.items():
        std[where] = settings.error_std.get(name, np.nan)
    for k, name in enumerate(named):
        std[k :: len(named)] = settings.error_std.get(name, std[k :: len(named)])
    lacking = np.flatnonzero(np.isnan(std))
    if lacking.size:
        raise FileError(f"error_std: give one for each field or station; site {lacking[0]} has none")
    if "site_index" in dataset:
        return dataset.assign(error_std=(dataset["value"].dims, std[dataset["site_index"].values.astype(int)]))
    return dataset.assign(error_std=("site", std))


def listed(names: Iterable[Any]) -> str:
    """Names, with commas."""
    return ", ".join(map(str, names))
