"""The emulators of the package, by name, and its neural networks."""

from assimilearn.registry import Kind

KINDS = {
    "emulator": Kind(
        parts={
            "persistence": "classical.persistence:PersistenceSettings",
            "climatology": "classical.climatology:ClimatologySettings",
            "lim": "classical.lim:LimSettings",
            "ridge": "classical.ridge:RidgeSettings",
            "sparse": "classical.sparse:SparseSettings",
            "polynomial": "classical.polynomial:PolynomialSettings",
            "tree": "classical.trees:TreeSettings",
            "forest": "classical.trees:ForestSettings",
            "boosting": "classical.trees:BoostingSettings",
            "analogs": "classical.analogs:AnalogSettings",
            "random-features": "classical.random_features:RandomFeatureSettings",
            "reservoir": "classical.reservoir:ReservoirSettings",
            "mlp": "networks.mlp:MlpSettings",
            "cnn": "networks.cnn:CnnSettings",
            "windows": "windows.learn:LearnSettings",
            "sklearn": "classical.regressor:RegressorSettings",
            "hybrid": "corrected:HybridSettings",
        },
        base="plugin:LearnerSettings",
        adapter="plugin",
    ),
    "network": Kind(
        parts={
            "resnet": "networks.resnet:ResNetSettings",
            "u-net": "networks.unet:UNetSettings",
            "attention": "networks.attention:AttentionSettings",
            "graph": "networks.graph:GraphSettings",
            "gru": "networks.recurrent:GruSettings",
            "lstm": "networks.recurrent:LstmSettings",
            "triads": "networks.triads:TriadSettings",
            "latent": "networks.latent:LatentSettings",
        },
        base="networks.settings:NetworkSettings",
        adapter="networks.plugin",
    ),
}
