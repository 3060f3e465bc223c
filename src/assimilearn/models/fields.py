"""Fields in files: what a file says of its geometry, and flat states as named variables on their grid."""

from typing import Any

import numpy as np
import xarray as xr

from assimilearn.models.geometry import FieldGrid, Geometry, geometry_of, ring
from assimilearn.models.protocol import Model


def model_geometry(model: Model) -> Geometry:
    """Where the numbers of a model's states are; a model that does not say is a ring."""
    found: Geometry | None = getattr(model, "geometry", None)
    return ring(model.size) if found is None else found


def geometry_in(dataset: xr.Dataset) -> Geometry:
    """The geometry of the states in a file, by its attributes and its dimension ``site``."""
    size = dataset.sizes.get("site", dataset.attrs.get("size"))
    return geometry_of({**dataset.attrs, "size": size})


def with_geometry(dataset: xr.Dataset, geometry: Geometry) -> xr.Dataset:
    """``dataset`` with the attribute and the coordinates that tell where its sites are; of a plain ring as it is."""
    if not geometry.attributes:
        return dataset
    coordinates = site_coordinates(geometry) if "site" in dataset.dims else {}
    return dataset.assign_coords(coordinates).assign_attrs(geometry.attributes)


def field_scales(climatology: xr.Dataset, geometry: Geometry) -> np.ndarray:
    """Climatological standard deviation of the field that each site is of, (site,): root of its mean variance."""
    variance = climatology["std"].values.astype(float) ** 2
    return np.sqrt(np.concatenate([np.full(s.stop - s.start, variance[s].mean()) for s in geometry.slices.values()]))


def field_means(climatology: xr.Dataset, geometry: Geometry) -> np.ndarray:
    """Climatological mean of the field that each site is of, (site,)."""
    mean = climatology["mean"].values.astype(float)
    return np.concatenate([np.full(s.stop - s.start, mean[s].mean()) for s in geometry.slices.values()])


def site_coordinates(geometry: Geometry) -> dict[str, Any]:
    """``field(site)``, numbers with CF flags, and a coordinate (site) for each axis; nothing for a plain ring."""
    if not geometry.attributes:
        return {}
    names = " ".join(name.replace(" ", "_") for name in geometry.names)
    flags = {"flag_values": np.arange(len(geometry.fields), dtype=np.int32), "flag_meanings": names}
    field = geometry.field_of.astype(np.int32)
    found: dict[str, Any] = {"field": ("site", field, {"units": "1", "long_name": "number of the field", **flags})}
    for number, axis in enumerate(geometry.axes):
        values = geometry.coordinates[:, number]
        found[axis.name] = ("site", values, {"units": axis.units, "long_name": f"{axis.name} of the site"})
    if geometry.stations is not None:
        of_sites = np.array(geometry.stations.names * len(geometry.fields))
        found["station"] = ("site", of_sites, {"long_name": "name of the station"})
    return found


def fields(dataset: xr.Dataset) -> xr.Dataset:
    """The fields of a file, each a variable on its grid.

    Parameters
    ----------
    dataset : Dataset
        A truth, an analysis, a climatology file or another file with variables (..., site).

    Returns
    -------
    Dataset
        ``state`` becomes one variable for each field, named after it: (time, y, x). Any other variable becomes
        ``{field}_{variable}``, such as ``height_mean``. Axes of a field whose grid differs from that of the first are
        named ``{axis}_{field}``, an axis with the name of a field ``{axis}_position``. Variables without sites stay;
        those with sites twice, such as a covariance, are left out.
    """
    geometry = geometry_in(dataset)
    found = xr.Dataset(attrs=dataset.attrs)
    own = {"field", "site", "station", *(axis.name for axis in geometry.axes)}
    for name, variable in dataset.variables.items():
        if "other_site" in variable.dims or name in own:
            continue
        if "site" not in variable.dims:
            found = found.assign_coords({name: variable}) if name in dataset.coords else found.assign({name: variable})
            continue
        lead = [dim for dim in variable.dims if dim != "site"]
        parts = geometry.split(variable.transpose(*lead, "site").values)
        for field in geometry.fields:
            dims, coordinates = _axes(geometry, field)
            values = parts[field.name] if dims else parts[field.name][..., 0]
            attributes = {**variable.attrs, "units": field.units}
            label = field.name if name == "state" else f"{field.name}_{name}"
            found[label] = ((*lead, *dims), values, attributes)
            found = found.assign_coords(coordinates)
    return found


def _axes(geometry: Geometry, field: FieldGrid) -> tuple[list[str], dict[str, Any]]:
    """Names of the dimensions of a field, and their coordinates."""
    if geometry.stations is not None:
        named = {"station": ("station", list(geometry.stations.names), {"long_name": "name of the station"})}
        where = np.array(geometry.stations.coordinates).reshape(field.size, len(geometry.axes))
        placed = {a.name: ("station", where[:, k], {"units": a.units}) for k, a in enumerate(geometry.axes)}
        return ["station"], {**named, **placed}
    if not geometry.axes:
        return ([] if field.size == 1 else [f"{field.name}_index"]), {}
    same = field.shape == geometry.fields[0].shape
    names = [axis.name if same else f"{axis.name}_{field.name}" for axis in geometry.axes]
    names = [f"{name}_position" if name in geometry.names else name for name in names]
    described = zip(names, geometry.axes, field.shape, strict=True)
    return names, {n: (n, a.points(count), {"units": a.units, "long_name": a.name}) for n, a, count in described}
