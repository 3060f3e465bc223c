"""Import xarray without the optional parts that no verb uses, and that slow its start."""

import importlib
import sys

# the reader of old NetCDF files; lazy arrays (dask itself runs the parallel work, but on arrays of numpy)
UNUSED = ("scipy.io", "dask")


def import_xarray() -> None:
    """Import xarray as if :data:`UNUSED` were not installed; afterwards they can be imported as ever.

    Nothing happens where xarray or one of them has been imported before.
    """
    if "xarray" in sys.modules or any(name in sys.modules for name in UNUSED):
        return
    sys.modules.update(dict.fromkeys(UNUSED))  # type: ignore[arg-type]  # None: an import fails as if there were no file
    try:
        importlib.import_module("xarray")
    finally:
        for name in UNUSED:
            del sys.modules[name]
