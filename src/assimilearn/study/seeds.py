"""Random numbers of a study: each stage has its own stream, whatever ran before it and on however many cores.

All analyses share one stream, and so do all emulators: methods are compared on the same observations, from the same
initial ensembles (common random numbers).
"""

from typing import Literal, get_args

import numpy as np

Stage = Literal[
    "climate",
    "truth",
    "observations",
    "analysis",
    "training",
    "tuning",
    "verification",
    "loop",
    "assimilators",
    "withholding",
    "explanation",
    "cost",
    "classifiers",
]


def generator(seed: int, stage: Stage, realization: int = 0) -> np.random.Generator:
    """The generator of one stage of one realization.

    Parameters
    ----------
    seed : int
        Seed of the study, 0 or more.
    stage : str
        One of the names in :data:`Stage`; their order here must never change, or old results change with it.
    realization : int
        Which repetition of the experiment, 0 or more.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(get_args(Stage).index(stage), realization)))
