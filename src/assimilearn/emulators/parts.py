"""The emulators of the package, by name, and its neural networks."""

from assimilearn.registry import Kind

KINDS = {
    "emulator": Kind(
        parts={
            "persistence": "persistence:PersistenceSettings",
            "climatology": "climatology:ClimatologySettings",
            "ridge": "ridge:RidgeSettings",
            "polynomial": "polynomial:PolynomialSettings",
            "forest": "forest:ForestSettings",
            "mlp": "mlp:MlpSettings",
            "cnn": "cnn:CnnSettings",
            "windows": "learn:LearnSettings",
            "sklearn": "regressor:RegressorSettings",
            "hybrid": "corrected:HybridSettings",
        },
        base="settings:EmulatorSettings",
    ),
    "network": Kind(
        parts={"resnet": "networks.resnet:ResNetSettings"},
        base="networks.settings:NetworkSettings",
        adapter="networks.plugin",
    ),
}
