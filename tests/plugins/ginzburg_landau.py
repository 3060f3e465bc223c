"""Complex Ginzburg-Landau flow on a periodic plane: A_t = A + (1 + i b) lap A - (1 + i c) |A|^2 A.

Two real fields, A = real + i imaginary. One step is exact in the linear part and of second order in the rest
(exponential time differencing, Cox & Matthews 2002). Chaotic where 1 + b c < 0: defects and phase turbulence.
"""

import numpy as np

from assimilearn.plugins import model

N, LENGTH, DT = 16, 32.0, 0.1


def start(rng):
    waves = 0.3 * rng.standard_normal((2, N, N))
    return {"real": waves[0], "imaginary": waves[1]}


@model("ginzburg-landau", fields={"real": (N, N), "imaginary": (N, N)}, spacing=LENGTH / N, periodic=True,
       time_step=DT, start=start)  # fmt: skip
def ginzburg_landau(fields, *, b: float = 2.0, c: float = -1.2):
    k = 2 * np.pi * np.fft.fftfreq(N, LENGTH / N)
    linear = 1 - (1 + 1j * b) * (k[:, None] ** 2 + k**2)
    growth = np.exp(linear * DT)
    first = (growth - 1) / linear
    second = (growth - 1 - linear * DT) / (linear**2 * DT)
    A = fields["real"] + 1j * fields["imaginary"]

    def reaction(A):
        return np.fft.fft2(-(1 + 1j * c) * np.abs(A) ** 2 * A)

    spectrum, before = np.fft.fft2(A), reaction(A)
    guess = growth * spectrum + first * before
    after = np.fft.ifft2(guess + second * (reaction(np.fft.ifft2(guess)) - before))
    return {"real": after.real, "imaginary": after.imag}
