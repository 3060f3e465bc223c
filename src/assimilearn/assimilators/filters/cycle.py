"""Many cycles of a filter, with the gradient of a score with respect to all that it depends on.

Everything may be a tensor that asks for its gradient: inflation, localization radius, model error, observation error,
parameters of the model, weights of a network inside of it. Random numbers are given, so that the score is a function.

With checkpoints the activations of each cycle are recomputed in the backward pass: memory is that of the ensembles at
all times and the activations of one cycle, so windows of hundreds of cycles fit, for one forward pass more.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from assimilearn.assimilators.filters import updates


class Observed(NamedTuple):
    """The observations of one time, as tensors.

    Attributes
    ----------
    y, variance : tensor (observation,)
    sites : tensor (observation,), int64
        Of the observed values; see ``sees`` of :class:`Cycle`.
    noise : tensor (member, site + observation)
        Standard normal numbers: of the model error, then of perturbed observations.
    """

    y: Any
    variance: Any
    sites: Any
    noise: Any


class Cycle(NamedTuple):
    """What is done between two observation times.

    Attributes
    ----------
    step : callable
        ``step(E (member, site)) -> E``: the forecast to the next observation time.
    method : "etkf", "enkf" or "letkf"
    inflation : tensor or float
        Factor on the anomalies of the analysis.
    distance : tensor (site, site), optional
    radius : tensor or float
        Of the LETKF.
    model_error : tensor or float
        Standard deviation of the noise after each forecast.
    error_scale : tensor or float
        Factor on the standard deviation of the observation errors.
    sees : callable
        ``sees(E) -> (member, site)``: what would be observed at every site.
    """

    step: Callable[[Any], Any]
    method: str = "etkf"
    inflation: Any = 1.0
    distance: Any = None
    radius: Any = 1.0
    model_error: Any = 0.0
    error_scale: Any = 1.0
    sees: Callable[[Any], Any] = lambda E: E

    def forecast(self, E: Any, at: Observed) -> Any:
        """The ensemble at the next time, with model error."""
        return self.step(E) + self.model_error * at.noise[:, : E.shape[1]]

    def analysis(self, E: Any, at: Observed) -> Any:
        """The forecast E given the observations, inflated."""
        Y, variance = self.sees(E)[:, at.sites], at.variance * self.error_scale**2
        if self.method == "enkf":
            E = updates.enkf(E, Y, at.y, variance, at.noise[:, E.shape[1] :])
        elif self.method == "letkf":
            E = updates.letkf(E, Y, at.y, variance, self.distance[:, at.sites], self.radius)
        else:
            E = updates.etkf(E, Y, at.y, variance)
        mean = E.mean(dim=0)
        return mean + self.inflation * (E - mean)


def run(
    E: Any,
    cycle: Cycle,
    observed: Sequence[Observed],
    score: Callable[[Any, Any, Observed, int], Any],
    checkpoints: bool = False,
) -> tuple[Any, Any]:
    """Cycle through some observation times.

    Parameters
    ----------
    E : tensor (member, site)
        Analysis of the time before the first.
    cycle : Cycle
    observed : sequence of Observed
    score : callable
        ``score(forecast, analysis, observed, k)``, a scalar, of the k-th time.
    checkpoints : bool
        Whether activations are recomputed.

    Returns
    -------
    total : tensor
        Sum of the scores.
    E : tensor (member, site)
        Last analysis.
    """
    from torch.utils.checkpoint import checkpoint

    def one(E: Any, k: int) -> tuple[Any, Any]:
        forecast = cycle.forecast(E, observed[k])
        analysis = cycle.analysis(forecast, observed[k])
        return analysis, score(forecast, analysis, observed[k], k)

    total = E.new_zeros(())
    for k in range(len(observed)):
        E, value = checkpoint(one, E, k, use_reentrant=False) if checkpoints else one(E, k)
        total = total + value
    return total, E
