"""The one base class of all settings: frozen, validated once, unknown keys refused."""

import json
from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict, model_validator

LARGEST = 2**63 - 1  # what the files can hold


class Settings(BaseModel):
    """Settings of a model, a method or a stage: immutable after validation."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_numbers(cls, data: Any) -> Any:
        """Refuse true, false and whole numbers beyond 64 bits as numbers: they become words, which are none."""
        if not isinstance(data, Mapping):
            return data
        kinds = {name: field.annotation for name, field in cls.model_fields.items()}
        return {name: _told(value, kinds[name]) if name in kinds else value for name, value in data.items()}

    def canonical(self) -> str:
        """One JSON text for equal settings: sorted keys, no spaces, defaults included."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


def _told(value: Any, kind: Any) -> Any:
    """The value of a setting, with words for what is no number."""
    if isinstance(value, list | tuple):
        return [_told(part, kind) for part in value]
    if isinstance(value, Mapping) and get_origin(kind) is dict and get_args(kind)[1] in (int, float):
        return {name: _told(part, get_args(kind)[1]) for name, part in value.items()}
    if isinstance(value, bool) and _allows(kind, int, float) and not _allows(kind, bool, str, Any):
        return str(value).lower()
    return "beyond 64 bits" if isinstance(value, int) and abs(value) > LARGEST else value


def _allows(annotation: Any, *kinds: Any) -> bool:
    """Whether an annotation names one of the ``kinds``."""
    return annotation in kinds or any(_allows(part, *kinds) for part in get_args(annotation))
