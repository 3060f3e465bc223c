"""What a file of a search has chosen, for the verbs that use it."""

import json
from typing import Any

import xarray as xr

from assimilearn.tuning.space import OF_MODEL


def chosen_for_emulator(search: xr.Dataset) -> dict[str, Any]:
    """Settings of the emulator that a search file chose: all, or those of the model of an analysis."""
    chosen: dict[str, Any] = json.loads(search.attrs["chosen"])
    if search.attrs["tuned_part"] == "emulator":
        return chosen
    return {name.removeprefix(OF_MODEL): v for name, v in chosen.items() if name.startswith(OF_MODEL)}


def chosen_for_analysis(search: xr.Dataset) -> dict[str, Any]:
    """Settings of the assimilation method that a search file chose."""
    chosen: dict[str, Any] = json.loads(search.attrs["chosen"])
    return {name: value for name, value in chosen.items() if not name.startswith(OF_MODEL)}
