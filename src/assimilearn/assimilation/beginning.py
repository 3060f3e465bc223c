"""Where a run begins, if not at the climatology: beside the truth, or about one value at every site."""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from assimilearn.assimilation.background.independent import IndependentBackground
from assimilearn.settings import Settings


class BeginningSettings(Settings):
    """The distribution of the state before the first observation."""

    start_std: float | None = Field(
        None,
        gt=0,
        description="errors of the start, which is then beside the truth; by default runs start from the climatology",
    )
    start_mean: float | None = Field(
        None,
        description="mean of the start at every site, with start_std as its spread: it then knows nothing of the truth",
    )

    @model_validator(mode="after")
    def _spread_is_given(self) -> Self:
        if self.start_mean is not None and self.start_std is None:
            raise ValueError("start_mean: give start_std too, the standard deviation of the start about it")
        return self

    @property
    def beside_truth(self) -> bool:
        """Whether the start knows the truth."""
        return self.start_std is not None and self.start_mean is None


def beginning(first: np.ndarray, settings: BeginningSettings, rng: np.random.Generator) -> IndependentBackground | None:
    """The distribution of the state before the first observation; None for that of the climatology.

    Parameters
    ----------
    first : ndarray (site,)
        The first true state, around which a start beside the truth has one draw of its errors as its mean.
    settings : BeginningSettings
    rng : numpy.random.Generator
    """
    if settings.start_std is None:
        return None
    variance = np.full(first.size, settings.start_std**2)
    if settings.start_mean is not None:
        return IndependentBackground(np.full(first.size, settings.start_mean), variance)
    return IndependentBackground(first + settings.start_std * rng.standard_normal(first.size), variance)
