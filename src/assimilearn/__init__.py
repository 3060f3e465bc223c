"""Data assimilation and machine learning studies on chaotic geophysical models."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assimilearn.models.fields import fields

__version__ = "0.1.0"
__all__ = ["fields"]


def __getattr__(name: str) -> Any:
    """The public functions, imported when they are used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from assimilearn.models.fields import fields

    return fields
