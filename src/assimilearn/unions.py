"""Settings of any part of a kind, told apart by ``method``: what the registry in force has, when they are validated."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, create_model
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from assimilearn.registry import Part, registry
from assimilearn.settings import Settings


@dataclass(frozen=True)
class OneOf:
    """Marks a type as the settings of any part of some kinds: ``Annotated[Settings, OneOf("method")]``.

    Attributes
    ----------
    kinds : kinds of parts, see :data:`assimilearn.registry.OWNERS`
    adds : what the place adds to the settings of every part, such as the name of its model
    without : names of parts that the place does not take, such as the one that it belongs to
    default : the part that is meant where there is no ``method``
    """

    kinds: tuple[str, ...]
    adds: type[Settings] | None = None
    without: tuple[str, ...] = ()
    default: str | None = None

    def __init__(
        self,
        *kinds: str,
        adds: type[Settings] | None = None,
        without: tuple[str, ...] = (),
        default: str | None = None,
    ):
        object.__setattr__(self, "kinds", kinds)
        object.__setattr__(self, "adds", adds)
        object.__setattr__(self, "without", without)
        object.__setattr__(self, "default", default)

    @property
    def parts(self) -> dict[str, Part]:
        """The parts that may stand here, by name."""
        return {name: part for name, part in registry().parts(*self.kinds).items() if name not in self.without}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.validated)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        classes = {name: self.settings_of(part.settings) for name, part in self.parts.items()}
        choices = {name: cls.__pydantic_core_schema__ for name, cls in classes.items()}
        return handler(core_schema.tagged_union_schema(choices, discriminator="method")) | {"kinds": [*self.kinds]}

    def validated(self, value: Any) -> Settings:
        """The settings of the part that ``method`` names."""
        if isinstance(value, Settings):
            value = value if self.adds is None or isinstance(value, self.adds) else value.model_dump()
        name = value.get("method") if isinstance(value, Mapping) else getattr(value, "method", None)
        if not isinstance(value, Mapping | Settings):
            raise PydanticKnownError("model_type", {"class_name": "settings"})
        name = self.default if name is None else name
        if name is None:
            raise PydanticKnownError("union_tag_not_found", {"discriminator": "'method'"})
        part = self.parts.get(name) if isinstance(name, str) else None
        if part is None:
            tags = ", ".join(map(repr, self.parts))
            tag = {"discriminator": "'method'", "tag": str(name), "expected_tags": tags}
            raise PydanticKnownError("union_tag_invalid", tag)
        return self.settings_of(part.settings).model_validate(value)

    def settings_of(self, settings: type[Settings]) -> type[Settings]:
        """The settings class of a part, with what the place adds."""
        return settings if self.adds is None else _with(settings, self.adds)


@cache
def _with(settings: type[Settings], adds: type[Settings]) -> type[Settings]:
    name = f"{settings.__name__.removesuffix('Settings')}Node"
    return create_model(name, __base__=(settings, adds), __doc__=settings.__doc__)
