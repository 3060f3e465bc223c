"""Networks: their architecture, the one training loop, and what is exactly known of both."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from training_sets import PERIODS, analysis_of, lorenz96_analysis

from assimilearn.emulators import AnyEmulator, open_emulator, train
from assimilearn.emulators.fields import field_scaling
from assimilearn.emulators.networks import cnn, mlp
from assimilearn.emulators.networks.cnn import CnnSettings
from assimilearn.emulators.networks.mlp import MlpSettings
from assimilearn.emulators.networks.modules.gradients import Gradients
from assimilearn.emulators.networks.modules.step import Step
from assimilearn.emulators.networks.optimizers import rate_factor
from assimilearn.emulators.networks.training import examples, lead_of, reproducibly, rollout_loss, train_module
from assimilearn.emulators.pairs import windows
from assimilearn.errors import FileError
from assimilearn.models.geometry import ring
from assimilearn.models.integrate import spun_up_state, trajectory
from assimilearn.models.lorenz63 import Lorenz63, Lorenz63Settings

RNG = np.random.default_rng
SETTINGS = TypeAdapter(AnyEmulator)


class Linear(torch.nn.Module):
    """Increment = w z: one weight whose history can be followed."""

    def __init__(self, weight=0.0):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(float(weight)))

    def forward(self, z):
        return self.weight * z


@pytest.fixture(scope="module")
def analysis():
    return lorenz96_analysis()


def loss_of_linear(training, scaling):
    """The loss of increments 0.1 z, by the training loop's own function."""
    settings = MlpSettings(lead=training.lead)
    step = step_of(Linear(0.1), training.geometry, scaling, settings)
    with torch.no_grad():
        return float(rollout_loss(step, examples(training, scaling, settings, "cpu"), settings, training.lead))


def step_of(module, geometry, scaling, settings):
    """One interval with a module, as the training loop takes it."""
    ratio = torch.as_tensor((scaling.increment_std / scaling.std)[scaling.field_of], dtype=torch.float32)
    return Step([module], geometry, settings, ratio)


def test_the_network_of_brajard_et_al_has_9389_trainable_weights():
    module = cnn.module(ring(40), CnnSettings())
    assert sum(values.numel() for values in module.parameters()) == 9389


@pytest.mark.parametrize("lead", [1, 3])
def test_the_loss_is_the_weighted_error_of_every_step_each_from_the_forecast_before(analysis, lead):
    training = windows(analysis, "train", lead)
    training.weights[:] = RNG(0).uniform(0.5, 2, training.weights.shape)
    scaling = field_scaling(training)
    x, errors = training.inputs, []
    for k in range(lead):
        x = scaling.added(x, 0.1 * scaling.standardised(x))
        errors.append(np.mean(training.weights[:, k] * (x - training.states[:, k + 1]) ** 2))
    expected = np.mean(errors) / scaling.increment_std[0] ** 2
    assert loss_of_linear(training, scaling) == pytest.approx(expected, rel=1e-5)


def test_backpropagation_by_hand_is_autodiff_is_finite_differences():
    rng = RNG(0)
    x, y = rng.standard_normal((50, 5)), rng.standard_normal((50, 3))
    V, b, W = rng.standard_normal((4, 5)), rng.standard_normal(4), rng.standard_normal((3, 4))

    def loss(V):
        return np.mean((np.tanh(x @ V.T + b) @ W.T - y) ** 2)

    hidden = np.tanh(x @ V.T + b)
    by_hand = ((2 / y.size * (hidden @ W.T - y)) @ W * (1 - hidden**2)).T @ x
    weights = torch.tensor(V, requires_grad=True)
    of_torch = (torch.tanh(torch.tensor(x) @ weights.T + torch.tensor(b)) @ torch.tensor(W).T - torch.tensor(y)) ** 2
    np.testing.assert_allclose(torch.autograd.grad(of_torch.mean(), weights)[0].numpy(), by_hand, rtol=1e-12)
    direction = rng.standard_normal(V.shape)
    errors = {}
    for h in (1e-2, 1e-4, 1e-12):
        errors[h] = abs((loss(V + h * direction) - loss(V - h * direction)) / (2 * h) - np.sum(by_hand * direction))
    assert errors[1e-4] < 1e-7 < errors[1e-2]  # truncation falls with the square of the step
    assert errors[1e-12] > 10 * errors[1e-4]  # and round-off grows with its inverse


def test_a_linear_neuron_learns_what_least_squares_gives(analysis):
    analysis = analysis.copy(deep=True)
    analysis["spread"].values[:] = RNG(3).uniform(0.05, 0.5, analysis["spread"].shape)
    settings = MlpSettings(hidden=(), radius=2, epochs=2, optimizer="l-bfgs", batch_size=None)
    training = windows(analysis, "train")
    scaling = field_scaling(training)
    flat = trained(settings, training, training, scaling)[0]  # validated on itself: no early stopping
    rows = scaling.standardised(training.inputs)[:, ring(12).stencil(2)].reshape(-1, 5)
    root = np.sqrt(training.weights.ravel())
    increments = scaling.increments(training.targets - training.inputs).ravel()
    expected = np.linalg.lstsq(np.column_stack([rows, np.ones(len(rows))]) * root[:, None], increments * root)[0]
    learned = np.concatenate([p.detach().numpy().ravel() for p in flat.parameters()])
    assert learned == pytest.approx(expected, abs=1e-4)


def trained(settings, training, validation, scaling, workers=1):
    """A module trained by the loop, and its history."""
    method = {"mlp": mlp.METHOD, "cnn": cnn.METHOD}[settings.method]
    with reproducibly(0):
        step = method.step(training.geometry, settings, scaling)
        history = train_module(step, training, validation, scaling, settings, workers)
    return step, history


def test_threads_and_blocks_change_no_bit(analysis, monkeypatch):
    monkeypatch.setattr("assimilearn.emulators.networks.modules.gradients.BLOCK", 12 * 50)
    training, validation = windows(analysis, "train", 2), windows(analysis, "validation", 2)
    settings = CnnSettings(epochs=2, batch_size=None, lead=2, penalty=0.1, channels=(4, 5))
    assert settings.threads == 2
    one, two = (trained(settings, training, validation, field_scaling(training), workers)[0] for workers in (1, 2))
    for name, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[name]), name


def test_the_gradient_of_a_batch_is_that_of_its_blocks(monkeypatch):
    monkeypatch.setattr("assimilearn.emulators.networks.modules.gradients.BLOCK", 30)
    module, x = torch.nn.Linear(3, 3), torch.randn(100, 3)

    def loss(module, index):
        return module(x[index]).square().mean()

    with Gradients(module, loss, 3) as gradients:
        assert gradients.write(torch.arange(100)) == pytest.approx(float(loss(module, torch.arange(100)).detach()))
    expected = torch.autograd.grad(loss(module, torch.arange(100)), list(module.parameters()))
    for parameter, value in zip(module.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, value)


def walk(**settings):
    """A network of one weight, trained towards w = 1 and validated on increments of 0.3: history and last loss."""
    z = RNG(0).standard_normal((PERIODS.total, 6))
    z[1:300:2] = 2 * z[:299:2][:150]  # training pairs double the state
    training = windows(analysis_of(z), "train")
    training = replace(training, states=training.states[::2], weights=training.weights[::2])
    states = np.stack([np.ones((20, 6)), 1.3 * np.ones((20, 6))], axis=1)
    validation = replace(training, states=states, weights=np.ones((20, 1, 6)))
    given = {"epochs": 40, "patience": 100, "learning_rate": 0.02, "schedule": "constant", "batch_size": 50}
    scaling, settings = field_scaling(training), MlpSettings(**given | settings)
    step = step_of(Linear(), training.geometry, scaling, settings)
    with reproducibly(0):
        history = train_module(step, training, validation, scaling, settings)
    return history, float(rollout_loss(step, examples(validation, scaling, settings, "cpu"), settings, 1).detach())


def test_the_weights_of_the_best_epoch_are_restored():
    history, restored = walk()
    best = np.argmin(history.validation_loss)
    assert 0 < best < len(history.validation_loss) - 1, "the best epoch must lie inside for this test to tell"
    assert restored == pytest.approx(history.validation_loss[best])


def test_training_stops_when_patience_is_spent():
    history = walk(patience=3)[0]
    assert len(history.loss) == len(history.validation_loss) == np.argmin(history.validation_loss) + 4
    assert history.step_loss.size == 3 * history.loss.size


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "adagrad", "sgd", "momentum", "l-bfgs"])
def test_every_optimizer_finds_the_one_weight(optimizer):
    rate = {"adagrad": 0.3, "sgd": 0.3, "momentum": 0.1}.get(optimizer, 0.05)
    history = walk(optimizer=optimizer, learning_rate=rate)[0]
    assert history.loss[-1] < 1e-3 * history.step_loss[0]


def test_stochastic_and_batch_gradients_take_a_step_a_window_and_a_step_an_epoch():
    assert walk(batch_size=1, epochs=1)[0].step_loss.size == 150
    assert walk(batch_size=None, epochs=3)[0].step_loss.size == 3


def test_a_loss_that_is_not_finite_ends_training_and_the_emulator_cannot_be_used(analysis):
    failed = train(analysis, MlpSettings(learning_rate=1e30, activation="relu", epochs=5), RNG(0))
    assert failed.attrs["status"] == "failed"
    assert not any(name.startswith("weight_") for name in failed)
    with pytest.raises(FileError, match=r"training of this mlp emulator failed: the loss is not finite in epoch \d"):
        open_emulator(failed)


def test_the_penalty_shrinks_the_last_layer(analysis):
    training, validation = windows(analysis, "train"), windows(analysis, "validation")
    settings = [CnnSettings(epochs=8, learning_rate=0.03, channels=(6,), penalty=p) for p in (0.0, 100.0)]
    free, penalised = (trained(given, training, validation, field_scaling(training))[0] for given in settings)
    size = [float(flat.parts[0].module.body[-1].weights.weight.detach().square().sum()) for flat in (free, penalised)]
    assert size[1] < 0.5 * size[0]


def test_schedules_and_curriculum_are_functions_of_the_epoch():
    def rates(schedule, epochs=4):
        settings = MlpSettings(epochs=epochs, schedule=schedule)
        return [rate_factor(settings, epoch) for epoch in range(epochs)]

    assert rates("constant") == [1] * 4
    assert rates("cosine") == pytest.approx([1, 0.5 + 0.5 * np.sqrt(0.5), 0.5, 0.5 - 0.5 * np.sqrt(0.5)])
    assert rates("exponential") == pytest.approx([1, 0.01**0.25, 0.1, 0.01**0.75])
    assert rates("steps") == pytest.approx([1, 1, 0.1, 0.01])
    assert rates("warm-up", 20)[:2] == pytest.approx([1 / 3, 2 / 3]) and rates("warm-up", 20)[2] > 0.95
    growing = MlpSettings(lead=4, curriculum=6)
    assert [lead_of(growing, epoch) for epoch in range(8)] == [1, 1, 2, 2, 3, 3, 4, 4]


@pytest.mark.parametrize(("given", "reason"), [
    ({"method": "cnn", "dropout": 0.2}, "no dense hidden layers: in a convolution the neighbours"),
    ({"method": "mlp", "dropout": 0.2, "hidden": []}, "only the last layer"),
    ({"method": "mlp", "optimizer": "l-bfgs", "weight_decay": 0.1}, "l-bfgs has none"),
])  # fmt: skip
def test_options_that_make_no_sense_together_are_refused_with_the_reason(given, reason):
    with pytest.raises(ValidationError, match=reason):
        SETTINGS.validate_python(given)


def test_dropout_is_gone_when_training_is_over(analysis):
    file = train(analysis, MlpSettings(epochs=2, dropout=0.5, hidden=(8,), normalisation="layer"), RNG(0))
    emulator, state = open_emulator(file), analysis["mean"].values[:3].astype(float)
    np.testing.assert_array_equal(emulator.step(state), emulator.step(state))
    assert MlpSettings(dropout=0.5, batch_size=None).threads == 1


def test_networks_beat_persistence_by_far(analysis):
    increments = np.diff(analysis["mean"].values[320:420], axis=0)
    for settings in (MlpSettings(radius=3, epochs=40, patience=40), CnnSettings(epochs=20, learning_rate=0.01)):
        assert train(analysis, settings, RNG(0)).attrs["residual_std"] < 0.5 * np.sqrt(np.mean(increments**2))


def test_a_perceptron_of_the_whole_state_learns_a_model_without_space():
    model = Lorenz63(Lorenz63Settings())
    states = trajectory(model, spun_up_state(model, 10, RNG(0)), 10 * PERIODS.total - 1)[::10]
    analysis = analysis_of(states, interval=10 * model.time_step)
    analysis.attrs.update(model.geometry.attributes)
    settings = MlpSettings(radius=None, hidden=(16,), activation="tanh", epochs=10, optimizer="l-bfgs", batch_size=None)
    file = train(analysis, settings, RNG(0))
    assert file.attrs["residual_std"] < 0.1 * np.sqrt(np.mean(np.diff(states, axis=0) ** 2))
