"""A filter whose settings and whose model's parameters are learned by the likelihood of innovations."""

import numpy as np
import pytest
from learning_twins import learning_twin, rmse_of
from pydantic import ValidationError

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilators.learned_filter import LearnedFilterSettings, opened
from assimilearn.assimilators.train import train_assimilator
from assimilearn.models import Lorenz96, Lorenz96Settings

LEARNED = METHODS["learned"](assimilator="own")


def trained(twin, model, **settings):
    chosen = LearnedFilterSettings(**{"members": 14, "iterations": 20, "window": 15, **settings})
    return train_assimilator(twin.observations, model, chosen, twin.climatology, np.random.default_rng(0))


def test_the_forcing_of_the_truth_is_recovered_from_observations_alone():
    twin, wrong = learning_twin(), Lorenz96(Lorenz96Settings(size=12, forcing=7.0))
    file = trained(twin, wrong, parameters={"forcing": 7.0}, learn=["inflation"], inflation=1.1)
    assert file.attrs["learned_forcing"] == pytest.approx(8.0, abs=0.25)
    step = opened(file)
    rng = np.random.default_rng(0)
    learned = assimilate(twin.observations, wrong, LEARNED, twin.climatology, rng, step)
    etkf = METHODS["etkf"](members=14, inflation=step.numbers["inflation"])
    with_wrong = assimilate(twin.observations, wrong, etkf, twin.climatology, rng)
    assert learned.attrs["status"] == "ok"
    assert rmse_of(learned, twin.truth) < 0.95 * rmse_of(with_wrong, twin.truth)


def test_a_filter_with_what_it_was_given_is_the_compiled_one():
    twin = learning_twin()
    file = trained(twin, twin.model, filter="letkf", members=6, iterations=1, learn=["localization_radius"])
    step = opened(file)
    learned, own = (
        assimilate(twin.observations, twin.model, settings, twin.climatology, np.random.default_rng(5), step)
        for settings in (
            LEARNED,
            METHODS["letkf"](members=6, inflation=1.05, localization_radius=step.numbers["localization_radius"]),
        )
    )
    np.testing.assert_allclose(learned["mean"][:40], own["mean"][:40], atol=1e-4)


def test_what_cannot_be_learned_is_refused():
    with pytest.raises(ValidationError, match="has no localization_radius"):
        LearnedFilterSettings(learn=["localization_radius"])
    with pytest.raises(ValidationError, match="name a setting to learn"):
        LearnedFilterSettings(learn=[])
