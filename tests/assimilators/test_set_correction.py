"""A correction of an ensemble filter by attention among its members."""

import numpy as np
import pytest
import torch
from learning_twins import learning_twin, rmse_of

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.problem import pose
from assimilearn.assimilators.set_correction import CHANNELS, SetCorrectionSettings, module, opened
from assimilearn.assimilators.train import train_assimilator

LEARNED = METHODS["learned"](assimilator="own")
SMALL = {"members": 5, "width": 6, "kernel": 3, "iterations": 4, "validations": 1, "learns_from": "observations"}
LETKF = METHODS["letkf"](members=5, inflation=1.1, localization_radius=3.0)


def run(twin, settings, step=None):
    return assimilate(twin.observations, twin.model, settings, twin.climatology, np.random.default_rng(0), step)


def trained(twin, truth=None, **settings):
    chosen = SetCorrectionSettings(**{**SMALL, **settings})
    return train_assimilator(twin.observations, twin.model, chosen, twin.climatology, np.random.default_rng(1), truth)


def test_with_weight_0_it_is_the_letkf_bit_for_bit():
    twin = learning_twin()
    corrected, plain = run(twin, LEARNED, opened(trained(twin, weight=0.0))), run(twin, LETKF)
    np.testing.assert_array_equal(corrected["mean"], plain["mean"])
    np.testing.assert_array_equal(corrected["spread"], plain["spread"])


def test_the_correction_does_not_depend_on_the_order_of_the_members():
    twin = learning_twin()
    geometry = pose(twin.observations, twin.model, twin.climatology).geometry
    network = module(geometry, SetCorrectionSettings(**SMALL))
    torch.nn.init.normal_(network.last.weight)
    features, order = torch.randn(2, 5, CHANNELS, 12), torch.randperm(5)
    with torch.no_grad():
        np.testing.assert_allclose(network(features)[:, order], network(features[:, order]), atol=1e-5)


@pytest.mark.slow
def test_the_correction_lowers_the_crps_of_a_letkf_that_is_too_sure():
    twin = learning_twin()
    file = trained(twin, twin.truth, learns_from="truth", inflation=1.0, iterations=150, width=12, learning_rate=3e-3)
    plain = METHODS["letkf"](members=5, inflation=1.0, localization_radius=3.0)
    assert rmse_of(run(twin, LEARNED, opened(file)), twin.truth) < 0.9 * rmse_of(run(twin, plain), twin.truth)
