"""Observe a truth: y = h(x) at the sites of a network + error."""

from typing import Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from assimilearn.clock import step_numbers
from assimilearn.errors import FileError, SettingsError
from assimilearn.observations import correlation, operators
from assimilearn.observations.errors import CorrelatedError, ErrorLaw, GaussianError, unit_errors
from assimilearn.observations.layout import pack
from assimilearn.observations.networks import ABSENT, MovingRandom, Network, observed_sites
from assimilearn.observations.operators import OperatorSettings
from assimilearn.observations.times import Every, are_observed
from assimilearn.settings import Settings


class ObservationSettings(Settings):
    """What is seen of the truth, how often and with what error."""

    network: Network = Field(MovingRandom(), description="which sites are observed when")
    operator: OperatorSettings = Field(OperatorSettings(), description="what is seen of the state at a site")
    every: Every = Field(
        1, description="number of model steps between two observation times, or a list of such numbers that take turns"
    )
    error_std: float = Field(1.0, gt=0, description="standard deviation of the observation error")
    assumed_error_std: float | None = Field(
        None, gt=0, description="standard deviation that the file tells the filters; by default error_std"
    )
    law: ErrorLaw = Field(GaussianError(), description="law of the observation error")
    assumed_correlation: Literal["law", "none"] = Field(
        "law", description="whether the file tells the filters of correlated errors, or that they are independent"
    )
    bias: float = Field(0.0, description="mean of the observation error, unknown to the filters")
    missing: float = Field(0.0, ge=0, lt=1, description="fraction of the values that is lost at random")


def observe(truth: xr.Dataset, settings: ObservationSettings, rng: np.random.Generator) -> xr.Dataset:
    """Observations of ``truth``.

    Network, errors and losses have random streams of their own: to change one leaves the others as they were.

    Parameters
    ----------
    truth : Dataset
        ``state(time, site)``, ``period(time)``, attribute ``time_step`` (that of the model, in MTU). It may hold other
        times as well: those that are multiples of ``every`` model steps are observed, counted from time 0.
    settings : ObservationSettings
    rng : numpy.random.Generator

    Returns
    -------
    Dataset of the layout of :func:`assimilearn.observations.layout.pack`, with the attributes ``size``, ``time_step``
    and, where they apply, ``interval`` (MTU between observation times), ``operator`` (JSON) and
    ``error_correlation_length`` (sites).

    Raises
    ------
    SettingsError
        If more sites are observed than exist, or no time of the truth is an observation time.
    FileError
        If the truth does not say its ``time_step``, or the file of a network cannot be used.
    """
    if "time_step" not in truth.attrs:
        raise FileError("the truth lacks the attribute time_step (MTU of one model step)")
    time_step = float(truth.attrs["time_step"])
    chosen = are_observed(step_numbers(truth["time"].values, time_step), settings.every)
    if not chosen.any():
        raise SettingsError(f"no time of the truth is a multiple of {settings.every} model steps (setting `every`)")
    states = truth["state"].transpose("time", "site").values[chosen]
    network_rng, error_rng, loss_rng = rng.spawn(3)
    size, times = states.shape[1], truth["time"].values[chosen]
    operators.refuse_wide(settings.operator, size)
    sites = observed_sites(settings.network, size, times, network_rng)
    errors = settings.bias + settings.error_std * unit_errors(settings.law, sites, size, error_rng)
    seen = operators.field(states, settings.operator.encoded)
    dataset = pack(
        times=times,
        flags=truth["period"].values[chosen],
        sites=sites,
        values=np.take_along_axis(seen, sites, axis=1) + errors,
        error_std=np.full(sites.shape, settings.assumed_error_std or settings.error_std),
        valid=(sites != ABSENT) & (loss_rng.random(sites.shape) >= settings.missing),
    )
    return dataset.assign_attrs(size=size, time_step=time_step, **_told(settings, time_step))


def _told(settings: ObservationSettings, time_step: float) -> dict[str, Any]:
    """Attributes that say what a filter needs to know."""
    told: dict[str, Any] = {}
    if isinstance(settings.every, int):
        told["interval"] = settings.every * time_step
    if settings.operator.encoded.size > 0:
        told[operators.ATTRIBUTE] = settings.operator.canonical()
    if isinstance(settings.law, CorrelatedError) and settings.assumed_correlation == "law":
        told[correlation.ATTRIBUTE] = settings.law.length
    return told
