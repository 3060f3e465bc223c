"""The physical models of the package, by name."""

from assimilearn.registry import Kind

KINDS = {
    "model": Kind(
        parts={
            "lorenz63": "lorenz63:Lorenz63Settings",
            "lorenz96": "lorenz96:Lorenz96Settings",
            "lorenz96-cubic": "lorenz96_cubic:Lorenz96CubicSettings",
            "double-gyre": "double_gyre:DoubleGyreSettings",
        },
        base="settings:ModelSettings",
        adapter="plugin",
    ),
}
