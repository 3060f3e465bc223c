"""The one base class of all settings: frozen, validated once, unknown keys refused."""

import json

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Settings of a model, a method or a stage: immutable after validation."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def canonical(self) -> str:
        """One JSON text for equal settings: sorted keys, no spaces, defaults included."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
