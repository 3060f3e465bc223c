"""Emulators: forecast models learned from analyses, all behind one function and one Model."""

from assimilearn.emulators.emulator import Emulator
from assimilearn.emulators.settings import EmulatorSettings
from assimilearn.emulators.train import KINDS, AnyEmulator, open_emulator, train, with_values
from assimilearn.emulators.windows.learn import LearnSettings
from assimilearn.kernels import compile_alike

__all__ = [
    "KINDS",
    "AnyEmulator",
    "Emulator",
    "EmulatorSettings",
    "LearnSettings",
    "open_emulator",
    "train",
    "with_values",
]

compile_alike()
