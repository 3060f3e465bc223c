"""Emulators: forecast models learned from analyses, all behind one function and one Model."""

from assimilearn.emulators.emulator import Emulator
from assimilearn.emulators.learn import LearnSettings
from assimilearn.emulators.train import AnyEmulator, open_emulator, train, with_values

__all__ = ["AnyEmulator", "Emulator", "LearnSettings", "open_emulator", "train", "with_values"]
