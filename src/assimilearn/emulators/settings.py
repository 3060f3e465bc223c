"""What the settings of every emulator share."""

from assimilearn.settings import Settings


class EmulatorSettings(Settings):
    """Settings of any emulator."""

    method: str
