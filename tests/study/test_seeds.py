"""Random streams of a study are independent of each other and of the order in which they are used."""

import numpy as np
import pytest

from assimilearn.study.seeds import generator


def test_equal_stages_draw_equal_numbers_in_any_order():
    first = generator(3, "truth").random(4)
    generator(3, "observations").random(100)
    np.testing.assert_array_equal(generator(3, "truth").random(4), first)


@pytest.mark.parametrize("other", [(4, "truth", 0), (3, "observations", 0), (3, "truth", 1)])
def test_seed_stage_and_realization_each_change_the_stream(other):
    assert not np.array_equal(generator(3, "truth", 0).random(4), generator(*other).random(4))


def test_streams_do_not_change_between_versions():
    """Old results stay reproducible only while the numbering of the stages stays as it is."""
    assert generator(1, "truth").integers(1 << 30) == FIRST_OF_TRUTH


FIRST_OF_TRUTH = int(np.random.default_rng(np.random.SeedSequence(1, spawn_key=(1, 0))).integers(1 << 30))
