"""Learned analysis steps: what they are trained on, how, and how they run in the cycle."""

from typing import Annotated, TypeAlias

from assimilearn.assimilators.settings import AssimilatorSettings
from assimilearn.unions import OneOf

AnyAssimilator: TypeAlias = Annotated[AssimilatorSettings, OneOf("assimilator")]
"""Settings of any learned analysis step, told apart by ``method``."""

__all__ = ["AnyAssimilator", "AssimilatorSettings"]
