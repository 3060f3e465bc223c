"""Tuning: searches of emulator settings by blocked cross-validation."""

from assimilearn.tuning.candidates import Law
from assimilearn.tuning.search import TuneSettings, tune

__all__ = ["Law", "TuneSettings", "tune"]
