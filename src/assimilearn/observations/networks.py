"""Networks: which sites are observed at which time.

Each is a settings class; all give the observed sites ``(time, observation)``, int32, rising within a time, with ABSENT
filling the rows that hold fewer. The sites of a longer record begin with those of a shorter one.
"""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from assimilearn.errors import SettingsError
from assimilearn.observations.network_files import ABSENT, sites_from_file
from assimilearn.settings import Settings


class AllSites(Settings):
    """Every site at every time."""

    method: Literal["all"] = "all"


class EverySite(Settings):
    """Every ``stride``-th site, the same at every time."""

    method: Literal["every"] = "every"
    stride: int = Field(2, ge=1, description="distance between two observed sites")
    offset: int = Field(0, ge=0, description="first observed site")


class FixedRandom(Settings):
    """Sites drawn once, without replacement."""

    method: Literal["fixed_random"] = "fixed_random"
    count: int = Field(20, ge=1, description="number of observed sites")


class MovingRandom(Settings):
    """Sites drawn anew at every time, without replacement within a time (Brajard et al. 2020)."""

    method: Literal["moving_random"] = "moving_random"
    count: int = Field(20, ge=1, description="number of observed sites at a time")


class Checkerboard(Settings):
    """Even sites at the first, third ... observation time, odd sites at the others."""

    method: Literal["checkerboard"] = "checkerboard"


class HalfRing(Settings):
    """The first half of the ring: observed land beside an unobserved ocean (Lorenz & Emanuel 1998)."""

    method: Literal["half"] = "half"


class NetworkFile(Settings):
    """The sites that a file lists for each time; none at times that it does not list."""

    method: Literal["file"] = "file"
    path: str = Field(
        description="CSV with the columns time and site, or NetCDF with site_index(time, observation): data/README.md"
    )


Network = Annotated[
    AllSites | EverySite | FixedRandom | MovingRandom | Checkerboard | HalfRing | NetworkFile,
    Field(discriminator="method"),
]


def observed_sites(network: Network, size: int, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The sites that ``network`` observes.

    Parameters
    ----------
    network : settings of one of the networks
    size : int
        Number of sites of the state.
    times : ndarray (time,)
        Observation times in MTU.
    rng : numpy.random.Generator
        Used by the random networks only.

    Returns
    -------
    ndarray (time, observation), int32; ABSENT where a row holds fewer observations than another

    Raises
    ------
    SettingsError
        If more sites are observed than exist.
    FileError
        If the file of a network cannot be used.
    """
    count = len(times)
    match network:
        case AllSites():
            sites = _fixed(np.arange(size), count)
        case EverySite():
            sites = _fixed(_every(network, size), count)
        case FixedRandom():
            sites = _fixed(_drawn(network.count, size, rng), count)
        case MovingRandom():
            sites = np.stack([_drawn(network.count, size, rng) for _ in range(count)])
        case Checkerboard():
            sites = _checkerboard(size, count)
        case HalfRing():
            sites = _fixed(np.arange(size // 2), count)
        case NetworkFile():
            sites = sites_from_file(network.path, size, times)
    return sites.astype(np.int32)


def network_path(network: Network) -> Path | None:
    """The file that a network comes from, if it does."""
    return Path(network.path) if isinstance(network, NetworkFile) else None


def _fixed(sites: np.ndarray, times: int) -> np.ndarray:
    """The same ``sites`` at each of ``times`` times."""
    return np.tile(sites, (times, 1))


def _every(network: EverySite, size: int) -> np.ndarray:
    """Sites offset, offset + stride, ... below ``size``."""
    if network.offset >= size:
        raise SettingsError(f"the network starts at site {network.offset}; the state has sites 0 to {size - 1}")
    return np.arange(network.offset, size, network.stride)


def _drawn(count: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """``count`` different sites out of ``size``, rising."""
    if count > size:
        raise SettingsError(f"the network observes {count} sites; the state has only {size}")
    return np.sort(rng.choice(size, count, replace=False, shuffle=False))


def _checkerboard(size: int, times: int) -> np.ndarray:
    """Even and odd sites in turn; with an odd ``size`` the odd rows are one shorter."""
    rows = np.full((2, (size + 1) // 2), ABSENT)
    rows[0] = np.arange(0, size, 2)
    rows[1, : size // 2] = np.arange(1, size, 2)
    return rows[np.arange(times) % 2]
