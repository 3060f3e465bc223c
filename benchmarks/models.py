"""Time of one step of each model against a plain implementation with NumPy or SciPy, of the same states.

    make benchmark-models
    .venv/bin/python benchmarks/models.py [--members 20] [--rounds 15]

Each round times both sides one after the other on one thread, in processor time, so that what else runs on the machine
weighs little, and on both; the ratio is the median over rounds, lowest and highest in brackets. Models of finite
differences meet their own tendency in NumPy, all members in one array (asked: 5 times as fast); Kuramoto-Sivashinsky
meets ETDRK4 with SciPy's FFT (asked: at most twice its time). Both sides must agree.
"""

import argparse
import os
import time
from collections.abc import Callable

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import numpy as np
import scipy.fft

from assimilearn.models import PhysicalModel, build
from assimilearn.models.integrate import spun_up_state
from assimilearn.models.parts import KINDS
from assimilearn.registry import part_of

Step = Callable[[np.ndarray], np.ndarray]
LARGE = 10_000  # sites; a model with more is spun up for a few steps only


def spectral_step(model: PhysicalModel) -> Step:
    """ETDRK4 of Kuramoto-Sivashinsky as its authors write it (Kassam & Trefethen 2005), with SciPy's real FFT."""
    n, h = model.size, model.time_step
    k = 2 * np.pi / model.settings.length * np.arange(n // 2 + 1)
    L, g = k**2 - k**4, -0.5j * np.where(np.arange(n // 2 + 1) < n // 2, k, 0)
    z = h * L[:, None] + np.exp(1j * np.pi * (np.arange(1, 33) - 0.5) / 16)
    E, E2 = np.exp(h * L), np.exp(h * L / 2)
    Q = h * np.mean((np.exp(z / 2) - 1) / z, axis=1).real
    f1 = h * np.mean((-4 - z + np.exp(z) * (4 - 3 * z + z**2)) / z**3, axis=1).real
    f2 = h * np.mean((2 + z + np.exp(z) * (-2 + z)) / z**3, axis=1).real
    f3 = h * np.mean((-4 - 3 * z - z**2 + np.exp(z) * (4 - z)) / z**3, axis=1).real

    def step(states: np.ndarray) -> np.ndarray:
        v = scipy.fft.rfft(states)
        Nv = g * scipy.fft.rfft(scipy.fft.irfft(v, n) ** 2)
        a = E2 * v + Q * Nv
        Na = g * scipy.fft.rfft(scipy.fft.irfft(a, n) ** 2)
        b = E2 * v + Q * Na
        Nb = g * scipy.fft.rfft(scipy.fft.irfft(b, n) ** 2)
        c = E2 * a + Q * (2 * Nb - Nv)
        Nc = g * scipy.fft.rfft(scipy.fft.irfft(c, n) ** 2)
        return scipy.fft.irfft(E * v + Nv * f1 + 2 * (Na + Nb) * f2 + Nc * f3, n)

    return step


def compiled_step(model: PhysicalModel) -> Step:
    """The step that the cycle of a filter calls."""
    if model.compiled is None:
        return model.step
    kernel, parameters = model.compiled

    def step(states: np.ndarray) -> np.ndarray:
        states = states.copy()
        kernel(states, parameters)
        return states

    return step


def seconds(step: Step, states: np.ndarray, repeats: int) -> float:
    """Processor time of one step."""
    start = time.process_time()
    for _ in range(repeats):
        step(states)
    return (time.process_time() - start) / repeats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    print("| model | sites | us a member and step | plain | us | plain over ours |")
    print("|---|---|---|---|---|---|")
    for name in sorted(KINDS["model"].parts):
        model = build(part_of("model", name).settings())
        spinup = 20.0 if model.size < LARGE else 5 * model.time_step
        state = spun_up_state(model, spinup, np.random.default_rng(0))
        states = state + 1e-3 * np.random.default_rng(1).standard_normal((arguments.members, model.size))
        ours, spectral = compiled_step(model), model.compiled is None
        plain = spectral_step(model) if spectral else model.step
        np.testing.assert_allclose(ours(states), plain(states), rtol=0, atol=1e-9 * np.abs(states).max())
        repeats = max(1, round(0.02 / seconds(plain, states, 1)))
        rounds = [(seconds(ours, states, repeats), seconds(plain, states, repeats)) for _ in range(arguments.rounds)]
        mine, theirs = np.median(rounds, axis=0) / arguments.members * 1e6
        ratios = np.array([other / own for own, other in rounds])
        spread = f"{np.median(ratios):.1f} ({ratios.min():.1f}-{ratios.max():.1f})"
        print(f"| {name} | {model.size} | {mine:.2f} | {'SciPy' if spectral else 'NumPy'} | {theirs:.1f} | {spread} |")


if __name__ == "__main__":
    main()
