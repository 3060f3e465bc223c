"""Open any forecast model, physical or learned."""

import xarray as xr

from assimilearn.models import Model, open_model


def open_any(dataset: xr.Dataset) -> tuple[Model, str]:
    """The model of a file of ``climate`` or ``train``, and "physical" or "emulator"."""
    if dataset.attrs.get("kind") == "emulators":
        from assimilearn.emulators import open_emulator

        return open_emulator(dataset), "emulator"
    return open_model(dataset), "physical"
