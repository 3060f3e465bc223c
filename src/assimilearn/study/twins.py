"""The realizations of a study's twin experiment; the first has the random numbers of the study itself."""

from collections.abc import Iterator

from assimilearn.assimilation.twin import Twin, TwinSettings, simulate_twin
from assimilearn.models.projection import Projection
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
    first: int = 0,
    onto: Projection | None = None,
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
    first : int
        Number of the first.
    onto : Projection, optional
        What is kept of the truth, in the fields of the forecast model; by default all.
    """
    for realization in range(first, first + realizations):
        truth_rng, observation_rng, analysis_rng = (
            generator(seed, stage, realization) for stage in ("truth", "observations", "analysis")
        )
        yield simulate_twin(model, length, truth, observing, truth_rng, observation_rng, analysis_rng, onto)
