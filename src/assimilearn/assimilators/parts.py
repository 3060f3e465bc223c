"""The learned analysis steps of the package, by name."""

from assimilearn.registry import Kind

KINDS = {
    "assimilator": Kind(
        parts={
            "constant-gain": "constant_gain:ConstantGainSettings",
            "learned-filter": "learned_filter:LearnedFilterSettings",
            "recurrent-gain": "recurrent_gain:RecurrentGainSettings",
            "set-correction": "set_correction:SetCorrectionSettings",
            "unrolled-solver": "unrolled_solver:UnrolledSolverSettings",
        },
        base="settings:NetworkSettings",
        adapter="plugin",
    ),
}
