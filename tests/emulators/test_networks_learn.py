"""Networks: architecture, their passes against torch's automatic derivatives, and the training loop."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional
from training_sets import PERIODS, analysis_of, lorenz96_analysis

from assimilearn.emulators import open_emulator, train
from assimilearn.emulators.classical.stencil import stencil
from assimilearn.emulators.networks import cnn, mlp
from assimilearn.emulators.networks.cnn import CnnSettings
from assimilearn.emulators.networks.convolution import Layer, compiled_network, initial_weights, packed, unpacked
from assimilearn.emulators.networks.descent import (
    Batch,
    Network,
    TrainingSettings,
    batch_of,
    begin,
    evaluate,
    learning_rate,
    loss_and_gradient,
    train_network,
)
from assimilearn.emulators.networks.mlp import MlpSettings
from assimilearn.emulators.networks.normalisation import EPSILON, running_statistics
from assimilearn.emulators.networks.optimizers import OPTIMIZERS
from assimilearn.emulators.networks.passes import ROWS
from assimilearn.emulators.pairs import windows
from assimilearn.emulators.scaling import scaling_of
from assimilearn.errors import FileError

RNG = np.random.default_rng
ACTIVATIONS = {
    "linear": lambda x: x,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "leaky_relu": functional.leaky_relu,
    "swish": functional.silu,
}


def as_torch(weights, dtype=torch.float64):
    return {name: torch.tensor(values.copy(), dtype=dtype, requires_grad=True) for name, values in weights.items()}


def torch_increment(layers, weights, z):
    """The network in plain torch: circular padding and conv1d, channels first; batch statistics if there is gamma."""
    if "gamma" in weights:
        z = weights["gamma"] * (z - z.mean()) / (z.var(unbiased=False) + EPSILON).sqrt() + weights["beta"]
    hidden = z[:, None]
    for k, layer in enumerate(layers):
        padded = functional.pad(hidden, (layer.width // 2, layer.width // 2), mode="circular")
        hidden = functional.conv1d(padded, weights[f"kernel_{k}"], weights[f"bias_{k}"])
        hidden = ACTIVATIONS[layer.activation](hidden)
        if layer.product:
            a, b, c = hidden.split([hidden.shape[1] - 2 * layer.product, layer.product, layer.product], 1)
            hidden = torch.cat([a, b * c], 1)
    return hidden[:, 0]


def torch_loss(layers, weights, batch):
    states, w, ratio = torch.tensor(batch.states).double(), torch.tensor(batch.weights), float(batch.ratio)
    z, total = states[:, 0], 0.0
    for k in range(w.shape[1]):
        z = z + ratio * torch_increment(layers, weights, z)
        total = total + (w[:, k] * ((z - states[:, k + 1]) / ratio) ** 2).mean()
    return total / w.shape[1]


def random_batch(lead, windows=37, size=12):
    rng = RNG(0)
    states = rng.standard_normal((windows, lead + 1, size)).astype(np.float32)
    return Batch(states, rng.uniform(0.2, 2, (windows, lead, size)).astype(np.float32), np.float32(0.3))


def brajard():
    """The network of the paper, with weights that leave nothing at zero or one."""
    weights = cnn.initial(RNG(3)) | {"gamma": np.float32([1.3]), "beta": np.float32([0.2])}
    return Network(cnn.LAYERS, weights, running_statistics())


def mixed(activation):
    """A network with everything that layers can have, in every place."""
    layers = [Layer(6, 5, activation, 2), Layer(5, 1, activation), Layer(7, 3, activation, 3), Layer(1, 1, "linear")]
    weights = initial_weights(layers, RNG(1))
    return Network(layers, weights | {name: w + 0.1 for name, w in weights.items() if name.startswith("bias")}, {})


def linear_network(weight=0.0):
    """Increment = w z + b: two weights whose history can be followed."""
    weights = {"kernel_0": np.full((1, 1, 1), weight, np.float32), "bias_0": np.zeros(1, np.float32)}
    return Network([Layer(1, 1, "linear")], weights, {})


def check_gradient(network, batch):
    """Loss and gradient, float32, are those that torch derives in float64."""
    loss, gradient = loss_and_gradient(begin(network), batch)
    weights = as_torch(network.weights)
    expected = torch_loss(network.layers, weights, batch)
    expected.backward()
    slopes = {name: w.grad.numpy() for name, w in weights.items()}
    assert loss == pytest.approx(expected.item(), rel=1e-6)
    of_affine = [slopes[name] for name in ("gamma", "beta") if name in slopes]
    reference = np.concatenate([packed(network.layers, slopes), *of_affine])
    assert np.abs(gradient - reference).max() < 2e-6 * np.abs(reference).max()


def test_the_network_of_brajard_et_al_has_9389_trainable_weights():
    assert sum(values.size for values in cnn.initial(RNG(0)).values()) == 9389


@pytest.mark.parametrize("lead", [1, 2, 4])
def test_the_gradient_of_the_network_of_brajard_et_al_is_that_of_conv1d_in_torch(lead):
    check_gradient(brajard(), random_batch(lead))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_gradient_is_that_of_torch_for_every_activation(activation):
    check_gradient(mixed(activation), random_batch(2))


@pytest.mark.parametrize("count", [1, 100])
def test_the_gradient_does_not_depend_on_how_a_batch_fills_the_blocks(count):
    size = 12
    assert ROWS // size > 1 and (100 * size) % ROWS, "one window is less than a block, a hundred are no whole blocks"
    check_gradient(brajard(), random_batch(1, windows=count, size=size))


def test_a_ring_larger_than_a_block_is_worked_through_whole():
    check_gradient(mixed("tanh"), random_batch(1, windows=2, size=ROWS + 1))


def test_the_gradient_is_the_slope_of_the_loss():
    network, batch = mixed("swish"), random_batch(3)
    weights, gradient = begin(network).weights, loss_and_gradient(begin(network), batch)[1]
    direction = gradient / np.linalg.norm(gradient)

    def loss(step):
        moved = unpacked(network.layers, weights + np.float32(step) * direction)
        return loss_and_gradient(begin(network._replace(weights=moved)), batch)[0]

    assert np.dot(gradient, direction) == pytest.approx((loss(0.01) - loss(-0.01)) / 0.02, rel=2e-3)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_compiled_step_is_the_torch_forward_pass(activation):
    network = mixed(activation)
    scaling = {"state_mean": 2.0, "state_std": 3.0, "increment_std": 0.5}
    step, parameters = compiled_network(network.layers, {**network.weights, **scaling})
    states = 2 + 3 * RNG(2).standard_normal((4, 11))
    z = torch.tensor((states - 2) / 3)
    expected = states + 0.5 * torch_increment(network.layers, as_torch(network.weights), z).detach().numpy()
    step(states, parameters)
    assert states == pytest.approx(expected, abs=1e-5)


def test_packed_weights_can_be_unpacked():
    network = mixed("relu")
    again = unpacked(network.layers, packed(network.layers, network.weights))
    assert set(again) == set(network.weights)
    assert all(np.array_equal(again[name], values) for name, values in network.weights.items())


def test_folding_the_batch_normalisation_changes_nothing():
    weights = cnn.initial(RNG(0)) | {"gamma": np.float32([1.3]), "beta": np.float32([-0.4])}
    statistics = {"mean": np.float32([0.2]), "variance": np.float32([1.7])}
    batch = random_batch(2)
    before = evaluate(begin(Network(cnn.LAYERS, weights, statistics)), batch)
    after = evaluate(begin(Network(cnn.LAYERS, cnn.folded(weights, statistics), {})), batch)
    assert after == pytest.approx(before, rel=1e-5)


def test_statistics_move_in_training_and_stay_frozen_outside():
    state = begin(Network(cnn.LAYERS, cnn.initial(RNG(0)), running_statistics()))
    batch = random_batch(1)._replace(states=np.full((2, 2, 12), 5, np.float32), weights=np.ones((2, 1, 12), np.float32))
    evaluate(state, batch)
    assert state.statistics["mean"] == 0 and state.statistics["variance"] == 1
    loss_and_gradient(state, batch)
    assert state.statistics["mean"] == pytest.approx(0.05) and state.statistics["variance"] == pytest.approx(0.99)


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
    loss = evaluate(begin(network), batch_of(training, scaling))
    forecast = training.inputs + scaling.increment_std * 0.1 * scaling.standardise(training.inputs)
    expected = np.mean(training.weights[:, 0] * (forecast - training.targets) ** 2) / scaling.increment_std**2
    assert loss == pytest.approx(expected, rel=1e-5)


def test_the_loss_over_several_steps_goes_on_from_the_forecast():
    analysis = lorenz96_analysis()
    training = windows(analysis, "train", 3)
    scaling = scaling_of(training)
    network = linear_network(0.1)
    loss = evaluate(begin(network), batch_of(training, scaling))
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
    training = replace(training, states=training.states[::2], weights=training.weights[::2])
    scaling = scaling_of(training)
    validation = replace(training, states=validation_states, weights=np.ones_like(validation_states[:, 1:]))
    settings = TrainingSettings(
        method="mlp", epochs=epochs, patience=patience, learning_rate=0.02, schedule="constant", batch_size=50
    )
    return train_network(linear_network(), training, validation, scaling, settings, rng), validation, scaling


def test_the_weights_of_the_best_epoch_are_restored():
    states = np.stack([np.ones((20, 6)), 1.3 * np.ones((20, 6))], axis=1)
    trained, validation, scaling = walk(states)
    best = np.argmin(trained.validation_loss)
    assert 0 < best < len(trained.validation_loss) - 1, "the best epoch must lie inside for this test to tell"
    restored = evaluate(begin(linear_network()._replace(weights=trained.weights)), batch_of(validation, scaling))
    assert restored == pytest.approx(trained.validation_loss[best], rel=1e-5)


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
    settings = TrainingSettings(method="mlp", learning_rate=0.4, epochs=4)
    rates = [learning_rate(settings, epoch) for epoch in range(4)]
    assert rates == pytest.approx([0.4, 0.2 + 0.2 * np.sqrt(0.5), 0.2, 0.2 - 0.2 * np.sqrt(0.5)])


def test_a_constant_learning_rate_does_not_fall():
    settings = TrainingSettings(method="mlp", learning_rate=0.4, epochs=4, schedule="constant")
    assert {learning_rate(settings, epoch) for epoch in range(4)} == {0.4}


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("adam", lambda w: torch.optim.Adam(w, lr=0.05)),
        ("adagrad", lambda w: torch.optim.Adagrad(w, lr=0.05, eps=1e-7)),
    ],
)
def test_the_optimizers_take_the_steps_of_those_of_torch(name, reference):
    rng = RNG(0)
    ours, optimizer = rng.standard_normal(20).astype(np.float32), OPTIMIZERS[name](20)
    theirs = torch.tensor(ours.copy(), requires_grad=True)
    torch_optimizer = reference([theirs])
    for _ in range(30):
        gradient = (rng.standard_normal(20) * np.logspace(-5, 2, 20)).astype(np.float32)
        optimizer.step(ours, gradient, 0.05)
        theirs.grad = torch.tensor(gradient)
        torch_optimizer.step()
    assert ours == pytest.approx(theirs.detach().numpy(), rel=1e-4, abs=1e-5)


def test_the_settings_of_the_perceptron_shape_it():
    layers = mlp.layers_of(MlpSettings(radius=3, hidden=(5, 4), activation="tanh"))
    assert layers == [Layer(5, 7, "tanh"), Layer(4, 1, "tanh"), Layer(1, 1, "linear")]


def test_networks_beat_persistence_by_far():
    analysis = lorenz96_analysis()
    increments = np.diff(analysis["mean"].values[320:420], axis=0)
    for settings in (MlpSettings(radius=3, epochs=60, patience=60), CnnSettings(epochs=20)):
        assert train(analysis, settings, RNG(0)).attrs["residual_std"] < 0.5 * np.sqrt(np.mean(increments**2))
