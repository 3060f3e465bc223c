"""Methods that estimate the state from observations, with any model."""

from assimilearn.assimilation.assimilate import assimilate
from assimilearn.assimilation.methods.named import METHODS, AnyAnalysis
from assimilearn.assimilation.settings import AnalysisSettings, EnsembleSettings
from assimilearn.kernels import compile_alike

__all__ = ["METHODS", "AnalysisSettings", "AnyAnalysis", "EnsembleSettings", "assimilate"]

compile_alike()
