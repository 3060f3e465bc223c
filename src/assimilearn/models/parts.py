"""The physical models of the package, by name."""

from assimilearn.registry import Kind

KINDS = {
    "model": Kind(
        parts={
            "double-gyre": "double_gyre:DoubleGyreSettings",
            "kuramoto-sivashinsky": "kuramoto_sivashinsky:KuramotoSivashinskySettings",
            "local-quadratic": "local_quadratic:LocalQuadraticSettings",
            "lorenz2005-ii": "lorenz2005:Lorenz2005TwoSettings",
            "lorenz2005-iii": "lorenz2005:Lorenz2005ThreeSettings",
            "lorenz63": "lorenz63:Lorenz63Settings",
            "lorenz84": "lorenz84:Lorenz84Settings",
            "lorenz96": "lorenz96:Lorenz96Settings",
            "lorenz96-cubic": "lorenz96_cubic:Lorenz96CubicSettings",
            "lorenz96-two-scale": "lorenz96_two_scale:Lorenz96TwoScaleSettings",
            "two-layer-qg": "two_layer_qg:TwoLayerQGSettings",
        },
        base="settings:ModelSettings",
        adapter="plugin",
    ),
}
