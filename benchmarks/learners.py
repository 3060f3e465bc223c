"""What learned models cost in the loop and in training: ratios, all measured in one run on one thread.

    OMP_NUM_THREADS=1 python benchmarks/learners.py [--repeats 7]

Columns: median over the repeats of the ratio within a repeat, and its range. The reference of a step is the same
network as a plain matrix product for each convolution, compiled by numba with the exponential of its library. That of
training is the plain torch step with the same network, batch and optimizer; that of a cycle the bare call of ONNX
Runtime.
"""

import argparse
import time

import numpy as np
import onnxruntime
import torch
from numba import njit

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.emulators import open_emulator, train
from assimilearn.emulators.networks.attention import AttentionSettings
from assimilearn.emulators.networks.cnn import CnnSettings
from assimilearn.emulators.networks.exported import Graph
from assimilearn.emulators.networks.mlp import MlpSettings
from assimilearn.emulators.networks.recurrent import GruSettings
from assimilearn.emulators.networks.resnet import ResNetSettings
from assimilearn.emulators.networks.unet import UNetSettings
from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.models.protocol import with_memory
from assimilearn.models.truth import TruthSettings, simulate
from assimilearn.observations import ObservationSettings, observe
from assimilearn.periods import Periods, period_flags

SITES, MEMBERS, STEPS, WINDOWS = 40, 30, 300, 2000


@njit(cache=True)
def convolved(h, kernel, bias, wide):
    """``h (site, input)`` -> (site, output) on the ring: neighbours side by side, then one matrix product."""
    n, inputs = h.shape
    width = kernel.shape[0] // inputs
    for i in range(n):
        for k in range(width):
            wide[i, k * inputs : (k + 1) * inputs] = h[(i + k - width // 2) % n]
    return np.dot(np.ascontiguousarray(wide[:, : width * inputs]), kernel) + bias


@njit(cache=True)
def cnn_step(E, mean, std, scale, before, after, k0, b0, k1, b1, k2, b2, wide):
    """The CNN of Brajard et al. (2020), member by member, in place."""
    for m in range(E.shape[0]):
        z = (((E[m] - mean) / std).astype(np.float32) * before + after).reshape(-1, 1)
        h = np.maximum(convolved(z, k0, b0, wide), np.float32(0))
        c = h.shape[1] // 3
        h = np.maximum(convolved(np.hstack((h[:, :c], h[:, c : 2 * c] * h[:, 2 * c :])), k1, b1, wide), np.float32(0))
        E[m] += scale * convolved(h, k2, b2, wide)[:, 0]


@njit(cache=True)
def mlp_step(E, mean, std, scale, k0, b0, k1, b1, k2, b2, wide):
    """The perceptron of two hidden layers on a stencil, member by member, in place."""
    for m in range(E.shape[0]):
        h = convolved(((E[m] - mean) / std).astype(np.float32).reshape(-1, 1), k0, b0, wide)
        h = convolved(h / (np.float32(1) + np.exp(-h)), k1, b1, wide)
        E[m] += scale * convolved(h / (np.float32(1) + np.exp(-h)), k2, b2, wide)[:, 0]


def compiled_step(emulator, step):
    """``E -> None`` in place, by the passes above with the weights of an emulator."""
    from assimilearn.emulators.train import method_of

    weights, settings = emulator.weights, emulator.settings
    mean, std, scale = (float(weights[name][0]) for name in ("mean", "std", "increment_std"))
    module = method_of(settings).module(emulator.geometry, settings).eval()
    state, start = module.state_dict(), 0
    for name, value in state.items():
        state[name] = torch.as_tensor(weights["parameters"][start : start + value.numel()]).reshape(value.shape)
        start += value.numel()
    kernels, numbers = [], []
    for name, value in state.items():
        if name.endswith("weights.weight"):
            kernels.append(np.ascontiguousarray(value[:, :, 0].permute(2, 1, 0).flatten(0, 1).numpy(), np.float32))
        elif name.endswith("weights.bias"):
            kernels.append(value.numpy().astype(np.float32))
        elif "num_batches" not in name:
            numbers.append(float(value))
    if numbers:
        gamma, beta, running_mean, variance = numbers
        factor = gamma / np.sqrt(variance + 1e-3)
        numbers = [np.float32(factor), np.float32(beta - factor * running_mean)]
    wide = np.empty((SITES, max(k.shape[0] for k in kernels if k.ndim == 2)), np.float32)
    return lambda E: step(E, mean, std, scale, *numbers, *kernels, wide)


def seconds(work) -> float:
    """Processor time of this thread."""
    start = time.thread_time()
    work()
    return time.thread_time() - start


def ratios(one, other, repeats: int) -> np.ndarray:
    """Time of ``one`` over that of ``other``, measured in turn, (repeat,)."""
    one(), other()
    return np.array([seconds(one) / seconds(other) for _ in range(repeats)])


def of_sweeps(emulator, E, repeats: int) -> np.ndarray:
    """All members of 64 experiments in one call, over one call for each experiment."""
    together, alone = np.tile(E, (64, 1)), [E] * 64
    return ratios(lambda: emulator.step(together), lambda: [emulator.step(one) for one in alone], repeats)


def of_family(analysis, settings, E, repeats: int) -> tuple[str, np.ndarray]:
    """A step of any exported module over the bare call; of one that steps members singly, over single calls."""
    emulator = open_emulator(train(analysis, settings, np.random.default_rng(0)))
    graph, states = Graph(emulator.weights["graph"], SITES), with_memory(emulator, E)
    z, together = states.astype(np.float32), bool(emulator.weights["together"])
    calls = [z] if together else [z[k : k + 1] for k in range(len(z))]

    def bare():
        for _ in range(STEPS // 10):
            for rows in calls:
                graph.session.run(None, {"z": rows})

    def through():
        for _ in range(STEPS // 10):
            emulator.step(states)

    how = "together" if together else "one by one"
    return f"{settings.method}: step of {MEMBERS} members {how} / bare ONNX Runtime", ratios(through, bare, repeats)


def plain_training(analysis, settings):
    """One epoch as plain torch would do it: no blocks, no windows, no history; the same network and batches."""
    from assimilearn.emulators.networks.cnn import module
    from assimilearn.models.geometry import ring

    states = torch.as_tensor(analysis["mean"].values[: WINDOWS + 1], dtype=torch.float32)
    z = (states - states.mean()) / states.std()
    increments = (z[1:] - z[:-1])[:, None]
    torch.manual_seed(0)
    network = module(ring(SITES), settings).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

    def work():
        for batch in torch.randperm(WINDOWS).split(settings.batch_size):
            optimizer.zero_grad()
            ((network(z[:-1][batch][:, None]) - increments[batch]) ** 2).mean().backward()
            optimizer.step()

    return work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    rng, model = np.random.default_rng(0), Lorenz96(Lorenz96Settings(size=SITES))
    flags = period_flags(Periods(spinup=10, train=WINDOWS + 1, gap=0, validation=64, test=STEPS))
    truth = simulate(model, TruthSettings(), 0.05 * np.arange(flags.size), flags, rng)
    observations = observe(truth, ObservationSettings(), rng)
    reference = climate(model, ClimateSettings(duration=200, lyapunov_duration=1), rng)
    analysis = truth.rename(state="mean").assign(spread=truth["state"] * np.nan).assign_attrs(status="ok")
    E = analysis["mean"].values[-MEMBERS:].astype(float)
    rows: list[tuple[str, np.ndarray]] = []
    for settings, by_hand in ((CnnSettings(epochs=2), cnn_step), (MlpSettings(epochs=2), mlp_step)):
        emulator = open_emulator(train(analysis, settings, np.random.default_rng(0)))
        hand = compiled_step(emulator, by_hand)
        expected, found = emulator.step(E), E.copy()
        hand(found)
        np.testing.assert_allclose(found, expected, atol=1e-3)
        alone = np.concatenate([emulator.step(row[None]) for row in E])
        print(f"{settings.method}: a member alone equals a member in the batch to the bit: {(alone == expected).all()}")

        def through(emulator=emulator):
            for _ in range(STEPS):
                emulator.step(E)

        def compiled(hand=hand):
            F = E.copy()
            for _ in range(STEPS):
                hand(F)
                F[:] = E

        session, z = Graph(emulator.weights["graph"], SITES).session, E.astype(np.float32)

        def bare(session=session, z=z):
            for _ in range(STEPS):
                session.run(None, {"z": z})

        rows.append(
            (f"{settings.method}: step of {MEMBERS} members / compiled pass", ratios(through, compiled, repeats))
        )
        rows.append(
            (f"{settings.method}: step of {MEMBERS} members / bare ONNX Runtime", ratios(through, bare, repeats))
        )
        etkf = METHODS["etkf"](members=MEMBERS, inflation=1.05)
        one = observations.isel(time=slice(-STEPS, None))

        def cycle(model, etkf=etkf, one=one):
            return lambda: assimilate(one, model, etkf, reference, np.random.default_rng(0))

        parts = (cycle(emulator), cycle(model), bare, compiled)
        parts[0](), parts[1]()
        shares = []
        for _ in range(repeats):
            with_network, physical, network, passes = (seconds(work) for work in parts)
            shares.append((with_network / (physical + network), with_network / (physical + passes)))
        for name, of in zip(("bare ONNX Runtime", "compiled pass"), np.transpose(shares), strict=True):
            rows.append((f"{settings.method}: ETKF cycle / (cycle of Lorenz-96 + {name})", of))
        rows.append((f"{settings.method}: one step of 64 ensembles / 64 steps of one", of_sweeps(emulator, E, repeats)))
    for settings in (
        ResNetSettings(epochs=1),
        UNetSettings(epochs=1),
        AttentionSettings(epochs=1),
        GruSettings(epochs=1),
    ):
        rows.append(of_family(analysis, settings, E, repeats))
    for batch in (64, 256):
        settings = CnnSettings(epochs=3, batch_size=batch, patience=99)

        def ours(settings=settings):
            train(analysis, settings, np.random.default_rng(0))

        short = CnnSettings(epochs=1, batch_size=batch)
        plain, found = plain_training(analysis, settings), []
        ours(), plain()
        for _ in range(repeats):
            two_epochs = seconds(ours) - seconds(lambda short=short: train(analysis, short, np.random.default_rng(0)))
            found.append(two_epochs / (seconds(plain) + seconds(plain)))
        rows.append((f"cnn: epoch of training in batches of {batch} / plain torch", np.array(found)))
    print(f"onnxruntime {onnxruntime.__version__}, torch {torch.__version__}, one thread, {repeats} repeats\n")
    print("| ratio | median | range |")
    print("|---|---|---|")
    for name, values in rows:
        print(f"| {name} | {np.median(values):.2f} | {values.min():.2f} to {values.max():.2f} |")


if __name__ == "__main__":
    main()
