"""Parameters of the model that are estimated with the state: every member carries its own after its sites.

State augmentation: the covariances of a parameter with what is observed move it as they move a site that is not
observed (Anderson 2001, Mon. Wea. Rev. 129, 2884-2903, section 6; Ruiz, Pulido & Miyoshi 2013, J. Meteorol. Soc. Japan
91, 79-99). A forecast leaves parameters as they are, so that their spread could only shrink, until they move no more: a
random walk gives some back, and inflation, which acts at every analysis however little it told of them, does not.
"""

from collections.abc import Mapping

import numpy as np

from assimilearn.assimilation.settings import ParameterSettings
from assimilearn.errors import SettingsError
from assimilearn.models.protocol import Model, WithParameters

Parameters = Mapping[str, ParameterSettings]


def augmented(model: Model, parameters: Parameters) -> Model:
    """The model for states that carry ``parameters``; the model itself where there are none.

    Raises
    ------
    SettingsError
        If the model has no such parameters.
    """
    if not parameters:
        return model
    if not isinstance(model, WithParameters):
        raise SettingsError(f"parameters: the forecast model has none that could be estimated: {', '.join(parameters)}")
    return model.augmented(tuple(parameters))


def with_parameters(E: np.ndarray, parameters: Parameters, rng: np.random.Generator) -> np.ndarray:
    """E (member, site) with draws from the first guess of the parameters after its sites; E where there are none."""
    if not parameters:
        return E
    draws = rng.standard_normal((len(E), len(parameters)))
    mean, std = ([getattr(p, name) for p in parameters.values()] for name in ("mean", "std"))
    return np.hstack([E, mean + np.array(std) * draws])


def changes(elapsed: np.ndarray, parameters: Parameters, members: int, rng: np.random.Generator) -> np.ndarray:
    """What random walks change in intervals of length ``elapsed (time,)``, in MTU; (time, member, parameter)."""
    walk = np.array([p.walk for p in parameters.values()])
    return np.sqrt(elapsed)[:, None, None] * walk * rng.standard_normal((elapsed.size, members, walk.size))
