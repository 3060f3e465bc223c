"""Tapers as functions of the localization radius, with gradients; see :mod:`assimilearn.assimilation.local`."""

from typing import Any

import numpy as np

from assimilearn.assimilation.local.taper_functions import NEGLIGIBLE


def gaspari_cohn(distance: Any, radius: Any) -> Any:
    """Gaspari & Cohn (1999), eq. 4.10, of a tensor of distances; factors below 0.001 are zero, as in the compiled one.

    Parameters
    ----------
    distance : tensor
        Not negative.
    radius : tensor or float
        The localization radius, in the same units.
    """
    import torch

    z = distance / (radius * np.sqrt(10 / 3))
    far = z.clamp(min=1.0)  # avoids 1/0 where the near branch holds
    near = 1 - 5 / 3 * z**2 + 5 / 8 * z**3 + 1 / 2 * z**4 - 1 / 4 * z**5
    beyond = 4 - 5 * far + 5 / 3 * far**2 + 5 / 8 * far**3 - 1 / 2 * far**4 + 1 / 12 * far**5 - 2 / 3 / far
    taper = torch.where(z < 1, near, torch.where(z < 2, beyond, torch.zeros_like(z)))
    return torch.where(taper < NEGLIGIBLE, torch.zeros_like(taper), taper)
