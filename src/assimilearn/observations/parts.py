"""The observation operators of the package, by name."""

from assimilearn.registry import Kind

KINDS = {
    "operator": Kind(
        parts={"function": "operators:OperatorSettings"}, base="plugin:OwnOperatorSettings", adapter="plugin"
    )
}
