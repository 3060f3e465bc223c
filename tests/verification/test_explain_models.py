"""Explanations of models: closed forms for a linear model, the stencil of Lorenz-96, and what differences leave."""

import numpy as np
import pytest
import xarray as xr

from assimilearn import figures
from assimilearn.errors import FileError
from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.geometry import ring
from assimilearn.models.integrate import spun_up_state, trajectory
from assimilearn.periods import FLAGS
from assimilearn.verification import Claim, scorecard
from assimilearn.verification.explain_models import ExplainModelSettings, explain_model, stencil_found

RNG = np.random.default_rng


class Linear:
    """x_i -> 0.5 x_i + 0.3 x_{i-1} on a ring."""

    size, time_step, compiled, geometry = 8, 0.05, None, ring(8)

    def step(self, states):
        return 0.5 * states + 0.3 * np.roll(states, 1, axis=-1)


def record(states, interval=0.05):
    """An analysis that is of the test period throughout."""
    return xr.Dataset(
        {"mean": (("time", "site"), states)},
        coords={"time": interval * np.arange(len(states)), "period": ("time", np.full(len(states), FLAGS["test"]))},
        attrs={"interval": interval},
    )


@pytest.fixture(scope="module")
def linear():
    return record(RNG(0).standard_normal((301, 8)))


def test_the_jacobian_of_a_linear_model_is_its_matrix_and_its_distance_from_itself_is_zero(linear):
    found = explain_model(Linear(), Linear(), linear, ExplainModelSettings(radius=2), RNG(0))
    assert found["offset"].values.tolist() == [-2, -1, 0, 1, 2]
    assert found["jacobian"].values[0] == pytest.approx([0, 0.3, 0.5, 0, 0], abs=1e-9)
    assert found["jacobian_std"].values == pytest.approx(np.zeros((1, 5)), abs=1e-9)
    assert found.attrs["jacobian_error"] == pytest.approx(0.0, abs=1e-9)
    assert found.attrs["stencil_found"] == 1.0


def test_partial_dependence_of_a_linear_model_is_its_coefficient_times_the_input(linear):
    found = explain_model(Linear(), Linear(), linear, ExplainModelSettings(radius=1), RNG(0))
    slopes = [
        np.polyfit(found["dependence_value"].values[0, k], found["dependence"].values[0, k], 1)[0] for k in range(3)
    ]
    assert slopes == pytest.approx([0.3, -0.5, 0.0], abs=1e-9)  # the increment by the site itself is 0.5 - 1


def test_importance_is_twice_the_variance_that_an_input_explains(linear):
    states = linear["mean"].values[:300].copy()
    states[1::2] = Linear().step(states[::2])  # pairs of a state and its forecast, with a gap after each
    analysis = record(states).assign_coords(time=0.05 * np.arange(300) + np.repeat(np.arange(150), 2))
    found = explain_model(Linear(), Linear(), analysis, ExplainModelSettings(radius=1, repeats=50), RNG(0))
    before, increments = states[::2], (states[1::2] - states[::2])[:, 4]
    expected = 2 * np.array([0.3, 0.5, 0.0]) ** 2 * np.append(before[:, 3:5].var(axis=0), 1.0) / increments.var()
    assert found["importance"].values[0] == pytest.approx(expected, rel=0.05)


def test_lorenz96_depends_on_the_sites_of_its_equation():
    model = Lorenz96(Lorenz96Settings(size=12))
    states = trajectory(model, spun_up_state(model, 10, RNG(0)), 120)
    found = explain_model(model, model, record(states), ExplainModelSettings(states=60, repeats=1), RNG(0))
    strength = found["physical_strength"].values[0]
    assert sorted(found["offset"].values[np.argsort(strength)[-4:]]) == [-2, -1, 0, 1]
    assert found.attrs["stencil_found"] == 1.0
    figure = figures.plot("explanations", explanations={"physics": found, "again": found})
    assert "Permutation importance" in figure.axes[0].get_title(loc="left")


def test_the_scorecard_has_a_row_of_each_fact(linear):
    found = explain_model(Linear(), Linear(), linear, ExplainModelSettings(radius=1, repeats=1), RNG(0))
    claims = {"base/ridge/stencil_found": Claim(published=1.0, source="the equation")}
    rows = {row.name: row for row in scorecard({}, {}, {}, claims, explanations={"base": {"ridge": found}})}
    assert rows["base/ridge/jacobian_error"].value == pytest.approx(0.0, abs=1e-9)
    assert rows["base/ridge/stencil_found"].passed is True


def test_the_share_of_the_stencil_that_is_found():
    strength = np.array([0.0, 1.0, 2.0, 0.05])
    assert stencil_found(np.array([0.0, 5.0, 1.0, 0.5]), strength) == 1.0
    assert stencil_found(np.array([9.0, 5.0, 1.0, 0.5]), strength) == 0.5


def test_a_record_without_successive_times_is_refused(linear):
    with pytest.raises(FileError, match="no two analyses one interval apart"):
        explain_model(Linear(), Linear(), linear.isel(time=slice(None, None, 2)), ExplainModelSettings(), RNG(0))
