"""The figures of the package, by name."""

from assimilearn.figures import FIGURES
from assimilearn.registry import Kind

KINDS = {"figure": Kind(parts={name: name for name in FIGURES})}
