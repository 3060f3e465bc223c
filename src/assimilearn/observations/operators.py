"""Observation operators: what an instrument makes of the state around its site.

    h_i(x) = f(w . x),      w . x = sum over m of w_m x_(i+m),   m = -M ... M on the ring

a function of one number after a weighted sum over the sites around the observed one (its footprint). f is the identity,
the square, the absolute value, ln|z| (as in Poterjoy 2016, Mon. Wea. Rev. 144, 59-76) or the arc tangent. Below |z| =
``FLOOR`` the logarithm is held, where it would go to minus infinity.

Arrays hold an operator as one vector, [number of f, w_-M ... w_M], so that compiled loops can take it; the vector of
the values of the sites themselves is empty, and costs nothing.
"""

import json
from typing import Any, Literal, Self

import numpy as np
import xarray as xr
from pydantic import Field, ValidationError, model_validator

from assimilearn.errors import FileError, SettingsError
from assimilearn.settings import Settings

IDENTITY, SQUARE, ABSOLUTE, LOG, ARCTAN = range(5)
FUNCTIONS = {"identity": IDENTITY, "square": SQUARE, "absolute": ABSOLUTE, "log": LOG, "arctan": ARCTAN}
FLOOR = 1e-3

ATTRIBUTE = "operator"


class OperatorSettings(Settings):
    """What is seen of the state: a function of a weighted sum over the sites around the observed one."""

    function: Literal["identity", "square", "absolute", "log", "arctan"] = Field(
        "identity", description="function of the sum; log is ln of its absolute value"
    )
    weights: list[float] = Field(
        [1.0],
        min_length=1,
        description="weights of the sites that are summed, odd in number: the observed one is in the middle",
    )

    @model_validator(mode="after")
    def _centred(self) -> Self:
        if len(self.weights) % 2 == 0:
            raise ValueError("weights: their number must be odd, with the observed site in the middle")
        if not any(self.weights):
            raise ValueError("weights: one of them at least must not be 0")
        return self

    @property
    def encoded(self) -> np.ndarray:
        """The operator as a vector; empty where the values of the sites themselves are observed."""
        if self.function == "identity" and self.weights == [1.0]:
            return np.empty(0)
        return np.array([FUNCTIONS[self.function], *self.weights], dtype=float)


def operator_of(observations: xr.Dataset, size: int) -> np.ndarray:
    """The operator that a file of observations says it was made with, as a vector.

    Parameters
    ----------
    observations : Dataset
        With the attribute ``operator`` (JSON of :class:`OperatorSettings`); without it sites themselves are observed.
    size : int
        Number of sites of the state.

    Raises
    ------
    FileError
        If the attribute is not an operator, or its footprint is wider than the state.
    """
    text = observations.attrs.get(ATTRIBUTE)
    if text is None:
        return np.empty(0)
    try:
        settings = OperatorSettings.model_validate(json.loads(text))
        refuse_wide(settings, size)
    except (ValidationError, ValueError, TypeError, SettingsError) as error:
        raise FileError(f"the attribute operator of the observations cannot be used: {error}") from error
    return settings.encoded


def refuse_wide(settings: OperatorSettings, size: int) -> None:
    """Raise SettingsError if the footprint has more sites than the state."""
    if len(settings.weights) > size:
        raise SettingsError(f"operator: the footprint has {len(settings.weights)} sites; the state has only {size}")


def field(states: np.ndarray, operator: np.ndarray) -> np.ndarray:
    """h at every site of ``states (..., site)``, in their shape."""
    if operator.size == 0:
        return states
    from assimilearn.observations.operator_kernels import transformed

    reach = operator.size // 2 - 1
    sums = sum(w * np.roll(states, reach - m, axis=-1) for m, w in enumerate(operator[1:]))
    return transformed.py_func(int(operator[0]), sums)


def differentiable_field(x: Any, operator: np.ndarray) -> Any:
    """:func:`field` for a torch tensor, with gradients."""
    import torch

    if operator.size == 0:
        return x
    reach = operator.size // 2 - 1
    z = sum(w * torch.roll(x, reach - m, dims=-1) for m, w in enumerate(operator[1:].tolist()))
    functions = {
        IDENTITY: lambda: z,
        SQUARE: lambda: z**2,
        ABSOLUTE: lambda: torch.abs(z),
        LOG: lambda: torch.log(torch.clamp(torch.abs(z), min=FLOOR)),
        ARCTAN: lambda: torch.arctan(z),
    }
    return functions[int(operator[0])]()
