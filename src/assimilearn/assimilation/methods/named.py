"""Every method: its settings, and the function that runs it."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeAlias

from assimilearn.assimilation.settings import AnalysisSettings
from assimilearn.registry import SettingsOf, part_of
from assimilearn.unions import OneOf

AnyAnalysis: TypeAlias = Annotated[AnalysisSettings, OneOf("method")]
"""Settings of any method, told apart by ``method``."""

METHODS: Mapping[str, type[AnalysisSettings]] = SettingsOf("method")
"""Name in the configuration -> class of settings."""


def run_of(settings: AnalysisSettings) -> Callable[..., Any]:
    """The function of a method: ``run(problem, settings, rng) -> Record``."""
    run: Callable[..., Any] = part_of("method", settings.method).implementation.run
    return run
