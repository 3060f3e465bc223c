"""Which geometries a figure can show: each function says why not, or None where it can."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assimilearn.models.geometry import Geometry

PORTRAYED = (2, 3)  # variables


def one_axis(geometry: "Geometry") -> str | None:
    """Sites on a line or a ring."""
    suits = geometry.on_grid and len(geometry.axes) == 1
    return None if suits else f"shows models on one axis, and this one has {space(geometry)}"


def one_field_on_one_axis(geometry: "Geometry") -> str | None:
    """One value a site, on a line or a ring."""
    if geometry.on_grid and len(geometry.axes) == 1 and len(geometry.fields) > 1:
        return f"shows models of one field, and this one has {len(geometry.fields)}"
    return one_axis(geometry)


def plane(geometry: "Geometry") -> str | None:
    """Sites on a plane or a section of the sphere."""
    suits = geometry.on_grid and len(geometry.axes) == 2
    return None if suits else f"shows models on a plane, and this one has {space(geometry)}"


def flat_plane(geometry: "Geometry") -> str | None:
    """Sites on a plane, not on a sphere."""
    return "shows models on a plane, and this one is on a sphere" if geometry.is_sphere else plane(geometry)


def no_grid(geometry: "Geometry") -> str | None:
    """Variables without positions, or stations."""
    return f"shows single variables and stations, and this has {space(geometry)}" if geometry.on_grid else None


def placed_stations(geometry: "Geometry") -> str | None:
    """Stations with two coordinates."""
    suits = geometry.stations is not None and len(geometry.axes) == 2
    return None if suits else f"shows stations with two coordinates, and this has {space(geometry)}"


def few_variables(geometry: "Geometry") -> str | None:
    """Two or three variables without positions."""
    if not geometry.on_grid and geometry.size not in PORTRAYED:
        return f"shows models of two or three variables, and this one has {geometry.size}"
    return no_grid(geometry)


def space(geometry: "Geometry") -> str:
    """The space of a model, in words."""
    if geometry.stations is not None:
        return "stations"
    count = len(geometry.axes)
    return {0: "no space", 1: "one axis"}.get(count, f"{count} axes")
