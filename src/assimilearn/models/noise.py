"""A model with noise added after each step: a nature run that no forecast model follows exactly."""

import numpy as np

from assimilearn.models.protocol import Model, draws_of, memory_of, with_memory


class Noisy:
    """``model`` with independent normal noise of ``noise_std`` at every site after each step.

    Its random numbers are those of the model, if it draws any, followed by one a site.
    """

    compiled = None

    def __init__(self, model: Model, noise_std: float):
        self.model, self.noise_std = model, noise_std
        self.size, self.time_step = model.size, model.time_step
        self.memory, self.draws = memory_of(model), draws_of(model) + model.size

    def begin(self, states: np.ndarray) -> np.ndarray:
        """States with the memory of the model."""
        return with_memory(self.model, states)

    def step(self, states: np.ndarray, noise: np.ndarray | None = None) -> np.ndarray:
        """One step, (..., site + memory), given ``noise (..., draws)``."""
        inner = self.draws - self.size
        if noise is None:
            noise = np.zeros((*states.shape[:-1], self.draws))
        given = (states, noise[..., :inner]) if inner else (states,)
        stepped = np.array(self.model.step(*given))
        stepped[..., : self.size] += self.noise_std * noise[..., inner:]
        return stepped
