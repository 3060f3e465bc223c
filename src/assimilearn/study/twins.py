"""The realizations of a study's twin experiment; the first has the random numbers of the study itself."""

from collections.abc import Iterator

from assimilearn.assimilation.twin import Twin, TwinSettings, simulate_twin
from assimilearn.models.protocol import Model
from assimilearn.models.truth import TruthSettings
from assimilearn.observations.observe import ObservationSettings
from assimilearn.study.seeds import generator


def twins(
    model: Model,
    length: TwinSettings,
    truth: TruthSettings,
    observing: ObservationSettings,
    seed: int,
    realizations: int,
) -> Iterator[Twin]:
    """Simulate one realization after the other, as they are asked for.

    Parameters
    ----------
    model : Model
        Of the truth.
    length : TwinSettings
    truth : TruthSettings
    observing : ObservationSettings
    seed : int
        Of the study.
    realizations : int
    """
    for realization in range(realizations):
        rngs = [generator(seed, stage, realization) for stage in ("truth", "observations", "analysis")]
        yield simulate_twin(model, length, truth, observing, *rngs)
