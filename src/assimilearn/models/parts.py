"""The physical models of the package, by name."""

from assimilearn.registry import Kind

KINDS = {
    "model": Kind(
        parts={"lorenz96": "lorenz96:Lorenz96Settings"},
        base="settings:ModelSettings",
        adapter="plugin",
    ),
}
