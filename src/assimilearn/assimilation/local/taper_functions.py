"""Tapers: factors that fall from 1 at distance 0 to 0, with which far observations are discounted.

``localization_radius`` means the same for every taper: the standard deviation L of the Gaussian exp(-d^2 / (2 L^2))
that the taper follows. Gaspari & Cohn's function of half-width c (zero beyond 2 c) follows it for c = L sqrt(10/3)
(Lorenc 2003, Q. J. R. Meteorol. Soc. 129, 3183-3203, section 3), that is 1.826 L; so a radius of 4 reaches 14.6 sites.
It is the convention of DAPPER.
"""

import numpy as np

from assimilearn.models.geometry import Geometry

NEGLIGIBLE = 1e-3  # smaller factors are taken as zero, as in DAPPER: the reach would be wider for nothing


def gaspari_cohn(distance: np.ndarray, localization_radius: float) -> np.ndarray:
    """Fifth-order piecewise rational function of Gaspari & Cohn (1999), Q. J. R. Meteorol. Soc. 125, 723-757, eq. 4.10.

    Parameters
    ----------
    distance : ndarray
        Not negative, in sites.
    localization_radius : float
        In sites; see above.

    Returns
    -------
    ndarray of the shape of ``distance``, in 0 ... 1.
    """
    z = np.asarray(distance, dtype=float) / (localization_radius * np.sqrt(10 / 3))
    near = 1 - 5 / 3 * z**2 + 5 / 8 * z**3 + 1 / 2 * z**4 - 1 / 4 * z**5
    far_z = np.maximum(z, 1.0)  # avoids 1/0 where the near branch holds
    far = 4 - 5 * far_z + 5 / 3 * far_z**2 + 5 / 8 * far_z**3 - 1 / 2 * far_z**4 + 1 / 12 * far_z**5 - 2 / 3 / far_z
    return np.where(z < 1, near, np.where(z < 2, np.maximum(far, 0.0), 0.0))


def boxcar(distance: np.ndarray, localization_radius: float) -> np.ndarray:
    """1 up to sqrt(3) L, 0 beyond: the box with the second moment of the Gaussian."""
    return np.where(np.asarray(distance) <= np.sqrt(3) * localization_radius, 1.0, 0.0)


def gaussian(distance: np.ndarray, localization_radius: float) -> np.ndarray:
    """exp(-d^2 / (2 L^2)), which the others follow; it has no end, so its use costs more."""
    return np.exp(-0.5 * (np.asarray(distance, dtype=float) / localization_radius) ** 2)


TAPERS = {"gaspari_cohn": gaspari_cohn, "boxcar": boxcar, "gaussian": gaussian}


def taper_matrix(geometry: Geometry, taper: str, radius: float, factors: np.ndarray) -> np.ndarray:
    """Tapers (site, site) by distance, times the ``factors (field, field)`` between fields, which may be (0, 0).

    Raises
    ------
    SettingsError
        If the model has no space.
    """
    geometry.need_space("localization")
    sites, field = np.arange(geometry.size), geometry.field_of
    tapers = TAPERS[taper](geometry.between(sites[:, None], sites), radius)
    return tapers * factors[np.ix_(field, field)] if factors.size else tapers
