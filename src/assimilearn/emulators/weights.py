"""What an emulator file must hold for its compiled step to be run: the weights of its method, in their shapes.

A compiled step takes its indices and sizes from weights and settings, and checks none of them. So they are held against
each other when a file is opened. Shapes are compared, and nothing is made as large as the settings say.
"""

from collections.abc import Collection, Mapping

import numpy as np

Shape = tuple[int | str, ...]
"""Size of every axis; a name stands for a size that the settings leave open, the same wherever the name stands."""


def weight_problems(
    weights: Mapping[str, np.ndarray], shapes: Mapping[str, Shape], infinite: Collection[str] = ()
) -> list[str]:
    """What is wrong with the weights of a file; empty if nothing is.

    Parameters
    ----------
    weights : mapping of name -> ndarray
    shapes : mapping of name -> Shape
        Those that the method needs, with the settings and the size of the file.
    infinite : names
        Weights that may be infinite.

    Returns
    -------
    list of str
        Missing and unknown weights, other shapes, and values that are not finite numbers.
    """
    problems = [f"it lacks weight_{name}" for name in shapes if name not in weights]
    problems += [f"weight_{name} has no place in it" for name in weights if name not in shapes]
    sizes: dict[str, int] = {}
    for name, shape in shapes.items():
        if name not in weights:
            continue
        found = weights[name].shape
        if len(found) == len(shape):
            sizes |= {axis: size for axis, size in zip(shape, found, strict=True) if isinstance(axis, str)} | sizes
        needed = tuple(sizes.get(axis, axis) if isinstance(axis, str) else axis for axis in shape)
        if found != needed:
            problems.append(f"weight_{name} has the shape {found}, not {needed}")
        elif weights[name].dtype.kind not in "fiu":
            problems.append(f"weight_{name} holds no numbers")
        elif np.isnan(weights[name]).any() or (name not in infinite and np.isinf(weights[name]).any()):
            problems.append(f"weight_{name} is not finite everywhere")
    return problems


def all_within(values: np.ndarray, lowest: int, highest: int) -> bool:
    """Whether all ``values`` are whole numbers from ``lowest`` to ``highest``."""
    return bool(np.all((values >= lowest) & (values <= highest) & (values == np.floor(values))))
