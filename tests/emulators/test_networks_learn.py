"""Networks: architecture, the agreement of torch and compiled steps, and the training loop."""

import numpy as np
import pytest
import torch
from training_sets import PERIODS, analysis_of, lorenz96_analysis

from assimilearn.emulators import cnn, mlp, open_emulator, train
from assimilearn.emulators.cnn import CnnSettings
from assimilearn.emulators.convolution import Layer, compiled_network, forward, initial_weights
from assimilearn.emulators.mlp import MlpSettings
from assimilearn.emulators.pairs import windows
from assimilearn.emulators.ring_convolution import ring_convolution
from assimilearn.emulators.scaling import scaling_of
from assimilearn.emulators.stencil import stencil
from assimilearn.emulators.training import Network, TrainingSettings, loss_of, optimizer_of, tensors, train_network
from assimilearn.errors import FileError

RNG = np.random.default_rng


def as_torch(weights, dtype=torch.float32):
    return {name: torch.tensor(values, dtype=dtype, requires_grad=True) for name, values in weights.items()}


def linear_network(weight=0.0):
    """Increment = w z + b: two weights whose history can be followed."""
    weights = {"w": np.array([weight], np.float32), "b": np.zeros(1, np.float32)}
    return Network(weights, {}, lambda w, statistics, z, training: w["w"] * z + w["b"], lambda w: 0.0)


def test_the_network_of_brajard_et_al_has_9389_trainable_weights():
    assert sum(values.size for values in cnn.initial(RNG(0)).values()) == 9389


@pytest.mark.parametrize("width", [1, 3, 5])
def test_the_ring_convolution_is_conv1d_with_circular_padding_and_so_is_its_gradient(width):
    rng = RNG(0)
    x, kernel, bias = (
        torch.tensor(rng.standard_normal(s), requires_grad=True) for s in ((2, 7, 3), (4, 3, width), (4,))
    )
    ours = ring_convolution()(x, kernel, bias)
    padded = torch.nn.functional.pad(x.transpose(1, 2), (width // 2, width // 2), mode="circular")
    reference = torch.nn.functional.conv1d(padded, kernel, bias).transpose(1, 2)
    assert torch.allclose(ours, reference)
    probe = torch.tensor(rng.standard_normal(ours.shape))
    found = torch.autograd.grad((ours**2 * probe).sum(), [x, kernel, bias])
    expected = torch.autograd.grad((reference**2 * probe).sum(), [x, kernel, bias])
    for a, b in zip(found, expected, strict=True):
        assert torch.allclose(a, b)


@pytest.mark.parametrize("activation", ["linear", "tanh", "relu", "sigmoid", "leaky_relu", "swish"])
def test_the_compiled_step_is_the_torch_forward_pass(activation):
    layers = [Layer(6, 5, activation, product=2), Layer(3, 3, activation), Layer(1, 1, "linear")]
    weights = initial_weights(layers, RNG(1))
    weights["bias_0"] += 0.1
    step, parameters = compiled_network(layers, weights | {"state_mean": 2.0, "state_std": 3.0, "increment_std": 0.5})
    states = 2 + 3 * RNG(2).standard_normal((4, 11))
    z = torch.tensor((states - 2) / 3, dtype=torch.float32)
    expected = states + 0.5 * forward(layers, as_torch(weights), z).detach().numpy()
    step(states, parameters)
    assert states == pytest.approx(expected, abs=1e-5)


def test_folding_the_batch_normalisation_changes_nothing():
    weights = cnn.initial(RNG(0)) | {"gamma": np.float32([1.3]), "beta": np.float32([-0.4])}
    statistics = {"mean": np.float32([0.2]), "variance": np.float32([1.7])}
    z = torch.tensor(RNG(1).standard_normal((5, 12)), dtype=torch.float32)
    frozen = {name: torch.tensor(values) for name, values in statistics.items()}
    before = cnn.increment(as_torch(weights), frozen, z, False)
    after = forward(cnn.LAYERS, as_torch(cnn.folded(weights, statistics)), z)
    assert torch.allclose(before, after, atol=1e-5)


def test_statistics_move_in_training_and_stay_frozen_outside():
    weights, z = as_torch(cnn.initial(RNG(0))), torch.full((2, 12), 5.0)
    statistics = {name: torch.tensor(values) for name, values in cnn.running_statistics().items()}
    cnn.increment(weights, statistics, z, False)
    assert statistics["mean"].item() == 0 and statistics["variance"].item() == 1
    cnn.increment(weights, statistics, z, True)
    assert statistics["mean"].item() == pytest.approx(0.05) and statistics["variance"].item() == pytest.approx(0.99)


def test_a_linear_neuron_learns_what_least_squares_gives():
    analysis = lorenz96_analysis()
    analysis["spread"].values[:] = RNG(3).uniform(0.05, 0.5, analysis["spread"].shape)
    settings = MlpSettings(hidden=(), radius=2, epochs=300, patience=300, learning_rate=0.03, batch_size=300)
    training = windows(analysis, "train")
    weights = mlp.fit(training, training, settings, RNG(0)).weights  # validated on itself: no early stopping
    scaling = scaling_of(training)
    rows = stencil(scaling.standardise(training.inputs), 2).reshape(-1, 5)
    rows = np.column_stack([rows, np.ones(len(rows))])
    root = np.sqrt(training.weights.ravel())
    increments = (training.targets - training.inputs).ravel() / scaling.increment_std
    expected = np.linalg.lstsq(rows * root[:, None], increments * root)[0]
    learned = np.append(weights["kernel_0"].values.ravel(), weights["bias_0"].values)
    assert learned == pytest.approx(expected, abs=1e-3)


def test_the_loss_over_one_step_is_the_weighted_one_step_loss():
    analysis = lorenz96_analysis()
    training = windows(analysis, "train")
    scaling = scaling_of(training)
    network = linear_network(0.1)
    ratio = scaling.increment_std / scaling.state_std
    data = tensors(training, scaling)
    loss = loss_of(network, as_torch(network.weights), {}, data, ratio, False).item()
    forecast = training.inputs + scaling.increment_std * 0.1 * scaling.standardise(training.inputs)
    expected = np.mean(training.weights[:, 0] * (forecast - training.targets) ** 2) / scaling.increment_std**2
    assert loss == pytest.approx(expected, rel=1e-5)


def test_the_loss_over_several_steps_goes_on_from_the_forecast():
    analysis = lorenz96_analysis()
    training = windows(analysis, "train", 3)
    scaling = scaling_of(training)
    network = linear_network(0.1)
    ratio = scaling.increment_std / scaling.state_std
    loss = loss_of(network, as_torch(network.weights), {}, tensors(training, scaling), ratio, False).item()
    x, errors = training.inputs, []
    for k in range(3):
        x = x + scaling.increment_std * 0.1 * scaling.standardise(x)
        errors.append(np.mean(training.weights[:, k] * (x - training.states[:, k + 1]) ** 2))
    assert loss == pytest.approx(np.mean(errors) / scaling.increment_std**2, rel=1e-5)


@pytest.mark.parametrize("settings", [MlpSettings(epochs=2, lead=3, hidden=(8,)), CnnSettings(epochs=1, lead=2)])
def test_several_steps_can_be_trained_on(settings):
    analysis = lorenz96_analysis()
    several = train(analysis, settings, RNG(0))
    one = train(analysis, settings.model_copy(update={"lead": 1}), RNG(0))
    assert several.attrs["status"] == "ok"
    assert not np.array_equal(several["weight_kernel_0"], one["weight_kernel_0"])


def walk(validation_states, patience=100, epochs=40):
    """A linear network trained towards w = 1 and validated on other states; returns what training returned."""
    rng = RNG(0)
    z = rng.standard_normal((PERIODS.total, 6))
    z[1:300:2] = 2 * z[:299:2][:150]  # training pairs double the state
    training = windows(analysis_of(z), "train")
    training = type(training)(training.states[::2], training.weights[::2])
    scaling = scaling_of(training)
    validation = type(training)(validation_states, np.ones_like(validation_states[:, 1:]))
    settings = TrainingSettings(
        epochs=epochs, patience=patience, learning_rate=0.02, schedule="constant", batch_size=50
    )
    return train_network(linear_network(), training, validation, scaling, settings, rng), validation, scaling


def test_the_weights_of_the_best_epoch_are_restored():
    states = np.stack([np.ones((20, 6)), 1.3 * np.ones((20, 6))], axis=1)
    trained, validation, scaling = walk(states)
    best = np.argmin(trained.validation_loss)
    assert 0 < best < len(trained.validation_loss) - 1, "the best epoch must lie inside for this test to tell"
    ratio = scaling.increment_std / scaling.state_std
    restored = loss_of(linear_network(), as_torch(trained.weights), {}, tensors(validation, scaling), ratio, False)
    assert restored.item() == pytest.approx(trained.validation_loss[best], rel=1e-5)


def test_training_stops_when_patience_is_spent():
    states = np.stack([np.ones((20, 6)), 1.3 * np.ones((20, 6))], axis=1)
    trained, *_ = walk(states, patience=3)
    assert len(trained.loss) == len(trained.validation_loss) == np.argmin(trained.validation_loss) + 4


def test_a_loss_that_is_not_finite_ends_training_and_the_emulator_cannot_be_used():
    failed = train(lorenz96_analysis(), MlpSettings(learning_rate=1e30, activation="relu", epochs=5), RNG(0))
    assert failed.attrs["status"] == "failed"
    assert not any(name.startswith("weight_") for name in failed)
    with pytest.raises(FileError, match=r"training of this mlp emulator failed: the loss is not finite in epoch \d"):
        open_emulator(failed)


def test_the_penalty_shrinks_the_last_layer():
    analysis = lorenz96_analysis()
    free, penalised = (
        train(analysis, CnnSettings(epochs=10, learning_rate=0.03, penalty=p), RNG(0)) for p in (0.0, 100.0)
    )
    size = [float((d["weight_kernel_2"] ** 2).sum()) for d in (free, penalised)]
    assert size[1] < 0.5 * size[0]


def test_the_learning_rate_falls_as_half_a_cosine():
    from assimilearn.emulators.training import set_learning_rate

    settings = TrainingSettings(learning_rate=0.4, epochs=4)
    optimizer = optimizer_of([torch.zeros(1, requires_grad=True)], settings)
    rates = []
    for epoch in range(4):
        set_learning_rate(optimizer, settings, epoch)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.4, 0.2 + 0.2 * np.sqrt(0.5), 0.2, 0.2 - 0.2 * np.sqrt(0.5)])


def test_adagrad_divides_by_the_root_of_the_summed_squares():
    weight = torch.tensor([1.0], requires_grad=True)
    optimizer = optimizer_of([weight], TrainingSettings(optimizer="adagrad", learning_rate=0.5))
    (3 * weight).sum().backward()
    optimizer.step()
    assert weight.item() == pytest.approx(1 - 0.5 * 3 / np.sqrt(0.1 + 9))


def test_the_settings_of_the_perceptron_shape_it():
    layers = mlp.layers_of(MlpSettings(radius=3, hidden=(5, 4), activation="tanh"))
    assert layers == [Layer(5, 7, "tanh"), Layer(4, 1, "tanh"), Layer(1, 1, "linear")]


def test_torch_global_random_numbers_are_left_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    train(lorenz96_analysis(), CnnSettings(epochs=1), RNG(0))
    assert torch.equal(torch.rand(3), expected)


def test_networks_beat_persistence_by_far():
    analysis = lorenz96_analysis()
    increments = np.diff(analysis["mean"].values[320:420], axis=0)
    for settings in (MlpSettings(radius=3, epochs=60, patience=60), CnnSettings(epochs=20)):
        assert train(analysis, settings, RNG(0)).attrs["residual_std"] < 0.5 * np.sqrt(np.mean(increments**2))
