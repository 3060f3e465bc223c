"""States of one model in the fields of another: truth and forecast model may differ in fields, grid and size."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from assimilearn.errors import SettingsError
from assimilearn.models.geometry import FieldGrid, Geometry, Row


class Projection(NamedTuple):
    """A linear map of states: each field taken from a field of the other model, at the points of its own grid.

    Attributes
    ----------
    geometry : of the states that it makes
    row : weights of the sites of the other model, one row a site
    """

    geometry: Geometry
    row: Row

    def __call__(self, states: np.ndarray) -> np.ndarray:
        """``states (..., site of the other model)`` as states (..., site)."""
        return np.einsum("...ic,ic->...i", states[..., self.row.sites], self.row.weights)


def projection(source: Geometry, target: Geometry, fields: Mapping[str, str]) -> Projection:
    """The map from states on ``source`` to states on ``target``.

    Parameters
    ----------
    source, target : Geometry
    fields : {field of the target: field of the source}
        A field that is not named is taken from that of the same name. On another grid it is interpolated linearly;
        the two domains are laid upon each other end to end, whatever the units of their axes.

    Raises
    ------
    SettingsError
        If a field does not exist, or two fields have other shapes and not the same kind of axes.
    """
    if unknown := [name for name in fields if name not in target.names]:
        raise SettingsError(f"the forecast model has no field {unknown[0]!r}; it has {', '.join(target.names)}")
    rows = []
    for field in target.fields:
        name = fields.get(field.name, field.name)
        if name not in source.names:
            raise SettingsError(f"the model of the truth has no field {name!r}; it has {', '.join(source.names)}")
        rows.append(_row(source, target, name, field))
    corners = max(row.sites.shape[1] for row in rows)
    padded = [[(0, 0), (0, corners - row.sites.shape[1])] for row in rows]
    sites = np.concatenate([np.pad(row.sites, more) for row, more in zip(rows, padded, strict=True)])
    weights = np.concatenate([np.pad(row.weights, more) for row, more in zip(rows, padded, strict=True)])
    return Projection(target, Row(sites, weights))


def _row(source: Geometry, target: Geometry, name: str, field: FieldGrid) -> Row:
    """Weights of the field ``name`` of the source, for the sites of one field of the target."""
    where, own = source.slices[name], source.fields[source.names.index(name)]
    alike = [axis.periodic for axis in source.axes] == [axis.periodic for axis in target.axes]
    if own.shape == field.shape:
        return Row(np.arange(where.start, where.stop)[:, None], np.ones((own.size, 1)))
    if not (source.has_space and alike):
        raise SettingsError(
            f"the field {name} of the truth has the shape {own.shape}, the field {field.name} of the forecast model "
            f"{field.shape}, and without axes that are alike nothing can be interpolated"
        )
    points = target.grid_coordinates(field.shape)
    for number, (old, new) in enumerate(zip(source.axes, target.axes, strict=True)):
        points[:, number] = old.origin + (points[:, number] - new.origin) * (old.length / new.length)
    return source.interpolation(points, name)
