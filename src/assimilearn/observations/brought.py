"""NetCDF files that a user brings: values as the file itself says to read them.

Missing and invalid values are marked in many ways (CF conventions section 2.5, NetCDF users' guide appendix A):
``_FillValue``, ``missing_value`` (one or several), ``valid_min``, ``valid_max``, ``valid_range``, and, where nothing
was declared, the default fill value of the type. netCDF4 honours them all, and ``scale_factor``, ``add_offset`` and
``_Unsigned``; here what is masked becomes NaN.
"""

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import xarray as xr

from assimilearn.errors import FileError
from assimilearn.store import refuse_absent

PACKING = (
    *("_FillValue", "missing_value", "valid_min", "valid_max", "valid_range"),
    *("scale_factor", "add_offset", "_Unsigned"),
)
"""Attributes that are obeyed on reading, and mean nothing afterwards."""

UNREADABLE = (OSError, RuntimeError, ValueError, TypeError, AttributeError, ArithmeticError, LookupError)
"""What the NetCDF library raises on files that are broken."""


def read_brought(path: str | Path) -> xr.Dataset:
    """All variables of a file, with NaN where a value is missing or invalid.

    Parameters
    ----------
    path : path of a NetCDF file of any format

    Returns
    -------
    Dataset
        Numbers in their own precision, as floats where something is missing; times are not decoded.

    Raises
    ------
    FileError
        If the file is missing, is not NetCDF, keeps its variables in groups, or names quality flags to be applied.
    """
    path = Path(path)
    refuse_absent(path)
    try:
        with netCDF4.Dataset(path) as file:
            if file.groups and not file.variables:
                raise FileError(
                    f"{path}: its variables stand in groups ({', '.join(file.groups)}); bring observations(time, "
                    "site), or value, site_index and time along one dimension, in the file itself"
                )
            variables = {name: _variable(variable) for name, variable in file.variables.items()}
            attributes = {name: file.getncattr(name) for name in file.ncattrs()}
    except UNREADABLE as error:
        raise FileError(f"{path}: cannot be read as NetCDF, perhaps it is truncated ({error})") from error
    _refuse_flags(path, variables)
    coordinates = {name: v for name, v in variables.items() if v.dims == (name,)}
    return xr.Dataset({n: v for n, v in variables.items() if n not in coordinates}, coordinates, attributes)


def _variable(variable: netCDF4.Variable) -> xr.Variable:
    """One variable with NaN in what is masked."""
    variable.set_auto_maskandscale(True)
    values: Any = variable[...]
    if isinstance(values, np.ma.MaskedArray):
        masked = np.ma.getmaskarray(values)
        values = values.data
        if masked.any() and values.dtype.kind in "iufb":
            values = np.where(masked, np.nan, values.astype(np.promote_types(values.dtype, np.float32)))
    values = np.asarray(values)
    if values.dtype.kind in "iufb":
        values = values.astype(values.dtype.newbyteorder("="))
    attributes = {name: variable.getncattr(name) for name in variable.ncattrs() if name not in PACKING}
    return xr.Variable(variable.dimensions, values, attributes)


def _refuse_flags(path: Path, variables: dict[str, xr.Variable]) -> None:
    """Raise FileError if a variable names quality flags: which of them to use is the user's choice."""
    for name, variable in variables.items():
        for flags in str(variable.attrs.get("ancillary_variables", "")).split():
            if flags in variables and {"flag_values", "flag_masks"} & set(variables[flags].attrs):
                raise FileError(
                    f"{path}: {name} has the quality flags {flags}: write NaN where a value is not to be used, and "
                    "leave out the attribute ancillary_variables"
                )
