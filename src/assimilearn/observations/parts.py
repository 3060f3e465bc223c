"""The observation operators that are parts of their own."""

from assimilearn.registry import Kind

KINDS = {"operator": Kind(parts={})}
