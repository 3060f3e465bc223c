"""The learned analysis steps of the package, by name."""

from assimilearn.registry import Kind

KINDS = {
    "assimilator": Kind(
        parts={
            "recurrent-gain": "recurrent_gain:RecurrentGainSettings",
        },
        base="settings:NetworkSettings",
        adapter="plugin",
    ),
}
