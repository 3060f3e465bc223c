"""Random numbers of a filter, drawn outside of the cycle in time order.

Each purpose has a stream of its own: results do not depend on how many numbers are drawn at once.
"""

import numpy as np

from assimilearn.assimilation.cycling.inflation import rotation_numbers
from assimilearn.assimilation.cycling.model_error import ModelError
from assimilearn.assimilation.cycling.parameters import changes
from assimilearn.assimilation.cycling.signatures import Noise
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import AnalysisSettings


class Draws:
    """Where the random numbers of one run come from.

    Parameters
    ----------
    problem : Problem
    settings : AnalysisSettings
    error : ModelError
    update_noise : int
        Standard normal numbers that the update needs at each time.
    step_noise : int
        Those that a member needs in each step of the model.
    rngs : list of five numpy.random.Generator
        Streams of model error, update, rotation, the random walk of estimated parameters, and the model's steps.
    """

    def __init__(
        self,
        problem: Problem,
        settings: AnalysisSettings,
        error: ModelError,
        update_noise: int,
        step_noise: int,
        rngs: list[np.random.Generator],
    ) -> None:
        self.problem, self.error, self.update_noise, self.step_noise = problem, error, update_noise, step_noise
        self.parameters, self.rotation_noise = {**settings.estimates, **problem.biases}, rotation_numbers(settings)
        self.model_rng, self.update_rng, self.rotation_rng, self.walk_rng, self.step_rng = rngs

    def per_time(self, rows: int) -> int:
        """How many numbers an observation time of an ensemble of ``rows`` needs, about; at least 1."""
        width = (self.problem.model.size + len(self.parameters)) * self.error.drawn + self.step_noise
        model = rows * width * int(self.problem.steps.sum()) // self.problem.times.size
        return max(model + self.update_noise + self.rotation_noise, 1)

    def of(self, here: slice, rows: int) -> Noise:
        """For the times ``here``."""
        n, steps, times = self.problem.model.size, self.problem.steps[here], here.stop - here.start
        total = int(steps.sum())
        erring = total if self.error.present else 0
        draws = (total, rows, self.step_noise) if self.step_noise else (0, 0, 0)
        return Noise(
            model=self.model_rng.standard_normal((erring, rows, n) if self.error.drawn else (erring, 0, 0)),
            update=self.update_rng.standard_normal((times, self.update_noise)),
            rotation=self.rotation_rng.standard_normal((times, self.rotation_noise)),
            walk=changes(self.problem.model.time_step * steps, self.parameters, rows, self.walk_rng),
            step=self.step_rng.standard_normal(draws),
        )
