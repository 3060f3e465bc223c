"""What the settings of every physical model share."""

from typing import ClassVar

from assimilearn.settings import Settings


class ModelSettings(Settings):
    """Settings of any physical model.

    ``estimable`` names the settings that a filter can estimate with the state.
    """

    estimable: ClassVar[tuple[str, ...]] = ()

    method: str
