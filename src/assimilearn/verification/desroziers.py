"""Error variances in observation space from innovations and residuals alone.

Desroziers, Berre, Chapnik & Poli (2005), Q. J. R. Meteorol. Soc. 131, 3385-3396, eqs. 1-4. With d_f = y - H x_f and
d_a = y - H x_a, if the gain is the optimal one,

    E[d_a d_f] = R,    E[(d_f - d_a) d_f] = H P_f H^T,    E[(d_f - d_a) d_a] = H P_a H^T     (diagonals here)

so a wrong assumed variance shows without any truth. Single products may be negative; only their means are variances.
"""

import numpy as np

from assimilearn.verification.matching import mean_over


def desroziers(innovation: np.ndarray, residual: np.ndarray, valid: np.ndarray) -> dict[str, np.ndarray]:
    """The three diagnostics at every time, averaged over the observations of that time.

    Parameters
    ----------
    innovation, residual : ndarray (time, observation)
        Observation minus forecast, and observation minus analysis.
    valid : ndarray of bool (time, observation)

    Returns
    -------
    dict of ndarray (time,): ``desroziers_observation``, ``desroziers_forecast`` and ``desroziers_analysis``, the error
    variances of the observations, of the forecast and of the analysis at the observed sites.
    """
    increment = innovation - residual
    return {
        "desroziers_observation": mean_over(residual * innovation, valid),
        "desroziers_forecast": mean_over(increment * innovation, valid),
        "desroziers_analysis": mean_over(increment * residual, valid),
    }
