"""What is exactly known of learning: rates of gradient descent, differences, likelihoods, convexity, batches."""

import numpy as np
import pytest
import torch
from training_sets import lorenz96_analysis

from assimilearn.emulators import train
from assimilearn.emulators.networks.mlp import MlpSettings
from assimilearn.emulators.networks.modules.losses import gaussian_nll, mse
from assimilearn.emulators.networks.optimizers import optimizer_of

RNG = np.random.default_rng


@pytest.fixture(scope="module")
def analysis():
    return lorenz96_analysis(size=12)


def descended(matrix, right, rate, steps):
    """Distances from the minimum of x A x / 2 - b x, step by step, by the package's own gradient descent."""
    minimum = torch.linalg.solve(matrix, right)
    x = torch.nn.Parameter(torch.zeros_like(right))
    optimizer = optimizer_of([x], MlpSettings(optimizer="sgd", learning_rate=rate))
    distances = []
    for _ in range(steps):
        optimizer.zero_grad()
        (0.5 * x @ matrix @ x - right @ x).backward()
        optimizer.step()
        distances.append(float((x.detach() - minimum).norm()))
    return np.array(distances)


def test_gradient_descent_on_ridge_has_the_rate_of_its_condition_number_or_diverges():
    """The best rate, 2 / (l_1 + l_n), shrinks the distance by (c - 1) / (c + 1) a step, with c = l_n / l_1."""
    features = torch.as_tensor(RNG(0).standard_normal((50, 5)) * [1, 1.5, 2, 2.5, 3])
    matrix = features.T @ features / 50 + 0.1 * torch.eye(5, dtype=torch.float64)  # the Hessian of ridge: convex
    right = features.T @ torch.as_tensor(RNG(1).standard_normal(50)) / 50
    smallest, *_, largest = torch.linalg.eigvalsh(matrix).tolist()
    assert smallest > 0
    condition = largest / smallest
    distances = descended(matrix, right, 2 / (smallest + largest), 200)
    assert distances[150] / distances[149] == pytest.approx((condition - 1) / (condition + 1), rel=1e-3)
    assert descended(matrix, right, 1.99 / largest, 200)[-1] < descended(matrix, right, 1.99 / largest, 200)[0]
    growing = descended(matrix, right, 2.05 / largest, 200)
    assert growing[-1] / growing[-2] == pytest.approx(1.05, rel=1e-3)


def test_errors_of_finite_differences_fall_with_the_step_then_rise_again_with_round_off():
    """Central differences of a hidden layer: slope 2 down to about the cube root of the precision, then slope -1."""
    generator = torch.Generator().manual_seed(0)
    inner, outer, x, d = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((8, 4), 8, 4, 4))

    def network(x):
        return outer @ torch.tanh(inner @ x)

    exact = float(torch.func.jvp(network, (x,), (d,))[1])
    steps = 10.0 ** -np.arange(1, 12)
    errors = np.array([abs(float(network(x + h * d) - network(x - h * d)) / (2 * h) - exact) for h in steps])
    assert errors[1] / errors[2] == pytest.approx(100, rel=0.1)
    assert 1e-7 < steps[errors.argmin()] < 1e-4
    assert errors[-1] > 100 * errors.min()


def test_with_a_constant_sigma_the_normal_likelihood_has_the_minimum_of_mean_squares_and_sigma_is_the_rms_error():
    rng = torch.Generator().manual_seed(0)
    forecast, target = torch.randn(2, 200, 3, generator=rng, dtype=torch.float64)
    weight = torch.ones_like(target)
    log_sigma = torch.tensor(0.3, dtype=torch.float64)

    def gradient(loss, log_std):
        given = forecast[:, None].clone().requires_grad_()
        return torch.autograd.grad(loss(given, target, weight, log_std, 0.5), given)[0]

    scale = 0.5 * torch.exp(-2 * log_sigma)
    assert gradient(gaussian_nll, log_sigma) == pytest.approx(scale * gradient(mse, None), rel=1e-12)
    fitted = torch.nn.Parameter(log_sigma.clone())
    optimizer = torch.optim.LBFGS([fitted], line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = gaussian_nll(forecast[:, None], target, weight, fitted, 0.5)
        loss.backward()
        return loss

    optimizer.step(closure)
    assert float(fitted.detach().exp()) == pytest.approx(float((forecast - target).square().mean().sqrt()), rel=1e-5)


def test_many_starts_meet_where_the_loss_is_convex_and_scatter_where_it_is_not(analysis):
    def losses(**given):
        settings = MlpSettings(radius=2, epochs=5, batch_size=None, optimizer="l-bfgs", **given)
        return np.array([train(analysis, settings, RNG(seed))["loss"].values[-1] for seed in range(4)])

    linear, deep = losses(hidden=()), losses(hidden=(2, 2), activation="tanh")
    assert np.ptp(linear) < 1e-4 * linear.mean()
    assert np.ptp(deep) > 1e-2 * deep.mean()


def test_smaller_batches_and_adam_lower_the_loss_in_fewer_epochs(analysis):
    def loss(**given):
        settings = MlpSettings(radius=2, hidden=(8,), epochs=3, schedule="constant", **given)
        return float(train(analysis, settings, RNG(0))["loss"][-1])

    batch, mini_batch = (loss(optimizer="sgd", learning_rate=0.05, batch_size=size) for size in (None, 16))
    adam = loss(optimizer="adam", learning_rate=0.01, batch_size=16)
    assert adam < mini_batch < batch
