"""Train any emulator on an analysis; keep it as a Dataset and open it again, without pickle."""

import difflib
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, TypeAlias

import numpy as np
import xarray as xr
from pydantic import ValidationError

from assimilearn.emulators import pairs
from assimilearn.emulators.emulator import LAYOUT, DifferentiableEmulator, Emulator, as_dataset
from assimilearn.emulators.settings import EmulatorSettings
from assimilearn.emulators.weights import weight_problems
from assimilearn.errors import FileError, SettingsError
from assimilearn.models.geometry import Geometry, geometry_of
from assimilearn.models.integrate import forecast
from assimilearn.models.protocol import PhysicalModel, with_memory
from assimilearn.registry import Part, first_line, part_in_file, registry
from assimilearn.unions import OneOf

KINDS = ("emulator", "network")
"""Kinds of parts that can be trained."""

AnyEmulator: TypeAlias = Annotated[EmulatorSettings, OneOf(*KINDS)]
"""Settings of any emulator, told apart by `method`."""


def train(
    analysis: xr.Dataset,
    settings: Any,
    rng: np.random.Generator,
    tuned: Mapping[str, Any] | None = None,
    *,
    observations: xr.Dataset | None = None,
    model: PhysicalModel | None = None,
    previous: xr.Dataset | None = None,
    workers: int = 1,
) -> xr.Dataset:
    """Fit an emulator to the training period of an analysis.

    Parameters
    ----------
    analysis : xarray.Dataset
        ``mean``, ``spread`` (time, site) and ``period(time)``. The test period is never looked at.
    settings : settings of any emulator
    rng : numpy.random.Generator
    tuned : mapping of setting -> value, optional
        Values found by a search; they replace those of ``settings``.
    observations : xarray.Dataset, optional
        What the method ``windows`` is fitted to, and nothing else looks at.
    model : PhysicalModel, optional
        What the method ``hybrid`` corrects, and nothing else looks at.
    previous : xarray.Dataset, optional
        An emulator file of the same method: networks go on from its weights instead of random ones, and their epochs
        are counted on. Its scaling stays. Other methods have nothing to gain from it.
    workers : int
        Threads of networks and of the method ``windows``; they change no result.

    Returns
    -------
    xarray.Dataset
        ``weight_*``, ``loss(epoch)``, ``validation_loss(epoch)`` where there are epochs; attributes ``method``,
        ``settings`` (JSON, with the tuned values), ``tuned`` (JSON), ``size``, ``time_step`` (MTU, one interval of the
        analysis), ``residual_std`` (one-step rms error on the validation period), ``status`` "ok", "poor" with
        ``reason`` where the mean of the training states forecasts the validation period better, or "failed" with
        ``reason`` and without weights.

    Raises
    ------
    FileError
        If the analysis diverged, is not finite or too short, or ``previous`` is of another method or failed.
    SettingsError
        If a tuned setting is unknown or out of bounds, the stencil is wider than the ring, or the method needs
        observations and has none.
    """
    settings = with_values(settings, tuned or {})
    method = method_of(settings)
    settings.refuse_unlike(geometry_of({**analysis.attrs, "size": analysis.sizes["site"]}))
    if settings.training_times is not None:
        analysis = pairs.shortened(analysis, settings.training_times)
    if "observations" in settings.needs:
        if observations is None:
            raise SettingsError(f"the method {settings.method} is fitted to observations: give them too")
        learned: xr.Dataset = method.learn(analysis, observations, settings, rng, workers)
        return learned
    training = pairs.windows(analysis, "train", settings.steps)
    validation = pairs.windows(analysis, "validation", settings.steps)
    start = warm_start(previous, settings) if previous is not None else {}
    if "model" in settings.needs:
        if model is None:
            raise SettingsError(f"the method {settings.method} corrects a physical model: give it too")
        from assimilearn.emulators.corrected import physics_over  # with the models comes the compiler

        start |= {"physics": physics_over(model, pairs.interval(analysis))}
    threads = {"workers": workers} if settings.threads > 1 else {}
    fitted = method.fit(training, validation, settings, rng, **start, **threads)
    size, time_step = training.states.shape[-1], pairs.interval(analysis)
    residual_std, status = float("nan"), {"status": "failed", "reason": fitted.failure}
    if not fitted.failure:
        weights = {name: array.values for name, array in fitted.weights.items()}
        emulator = emulator_of(settings, weights, training.geometry, time_step)
        held_out = pairs.windows(analysis, "validation")
        with np.errstate(over="ignore", invalid="ignore"):
            errors, counted = one_step_errors(emulator, held_out)
            residual_std = float(np.sqrt(np.mean(errors**2)))
            status = status_of(errors, held_out.targets[counted], training)
    attributes = {
        "method": settings.method,
        "settings": settings.canonical(),
        "tuned": json.dumps(dict(tuned or {}), sort_keys=True),
        "layout": LAYOUT,
        "size": size,
        "time_step": time_step,
        **training.geometry.attributes,
        "residual_std": residual_std,
        **status,
    }
    epochs_before = int(previous["epoch"][-1]) if start and previous is not None and "epoch" in previous else 0
    return as_dataset(fitted, attributes, epochs_before)


def one_step_errors(emulator: Emulator, held_out: pairs.Windows) -> tuple[np.ndarray, np.ndarray]:
    """Errors of one-step forecasts from analyses, (pair, site), and which of the pairs count, bool (pair,).

    A memory is carried from one analysis to the next, as a filter does, and the first forecasts, before it is formed,
    do not count: all forecasts do where no stretch of analyses is as long.
    """
    steps, pair_count = emulator.settings.memory_steps, len(held_out.inputs)
    if emulator.memory == 0 or steps == 0:
        return forecast(emulator, held_out.inputs, 1) - held_out.targets, np.ones(pair_count, dtype=bool)
    n, age, states = emulator.size, np.zeros(pair_count, dtype=int), np.empty(0)
    errors = np.empty_like(held_out.targets)
    for k, state in enumerate(held_out.inputs):
        follows = k > 0 and np.array_equal(state, held_out.targets[k - 1])
        age[k] = age[k - 1] + 1 if follows else 0
        states = np.concatenate([state, states[n:]]) if follows else with_memory(emulator, state)
        states = emulator.step(states)
        errors[k] = states[:n] - held_out.targets[k]
    counted = age >= steps if (age >= steps).any() else age >= 0
    return errors[counted], counted


def part_of(settings: EmulatorSettings) -> Part:
    """The part that the settings belong to."""
    part = registry().find(settings.method, *KINDS)
    if part is None:
        raise SettingsError(f"there is no emulator {settings.method!r}, here or in a plug-in that is loaded")
    return part


def method_of(settings: EmulatorSettings) -> Any:
    """The functions of a method: its module, or what the module holds as ``METHOD``."""
    implementation = part_of(settings).implementation
    return getattr(implementation, "METHOD", implementation)


def warm_start(previous: xr.Dataset, settings: EmulatorSettings) -> dict[str, Any]:
    """The argument with which ``fit`` goes on from the weights of a ``previous`` emulator; none where it cannot."""
    if not settings.goes_on:
        return {}
    method, before = settings.method, previous.attrs.get("method")
    if before != method:
        raise FileError(f"a {method} emulator cannot go on from the weights of a {before} emulator")
    return {"previous": open_emulator(previous).weights}


def with_values(settings: Any, values: Mapping[str, Any]) -> Any:
    """``settings`` with some values replaced and everything validated anew.

    Raises
    ------
    SettingsError
        Listing every name that the method does not have, with the nearest that it has, and every bad value.
    """
    known = sorted(set(type(settings).model_fields) - {"method"})
    problems = []
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1, cutoff=0)
            advice = f"did you mean {near[0]}? It has {', '.join(known)}" if near else "it has no settings"
            problems.append(f"{name}: {settings.method} has no such setting; {advice}")
    if not problems:
        try:
            return type(settings).model_validate({**settings.model_dump(), **values})
        except ValidationError as error:
            problems = [
                f"{'.'.join(map(str, p['loc']))}: {p['msg']}, not {p['input']!r}"
                for p in error.errors(include_url=False)
            ]
    raise SettingsError("\n".join(problems))


def status_of(errors: np.ndarray, targets: np.ndarray, training: pairs.Windows) -> dict[str, str]:
    """What training made, as attributes of a file: ``status``, and ``reason`` where it is not "ok".

    Parameters
    ----------
    errors, targets : ndarray (pair, site)
        Of one-step forecasts of the validation period.
    training : Windows
        The mean of its targets at each site is the forecast that errors are held against; both are divided by the
        standard deviation of the site's field.
    """
    if not np.isfinite(errors).all():
        return {"status": "failed", "reason": "the one-step forecast of the validation period is not finite"}
    fields = training.geometry.field_of
    std = np.array([targets[:, fields == k].std() or 1.0 for k in range(len(training.geometry.fields))])[fields]
    error, climatology = (
        float(np.sqrt(np.mean((e / std) ** 2))) for e in (errors, training.targets.mean(axis=0) - targets)
    )
    if error > climatology * (1 + 1e-9):
        return {
            "status": "poor",
            "reason": f"its one-step error on the validation period is {error:.3g} standard deviations of the "
            f"climatology, that of the climatology itself {climatology:.3g}",
        }
    return {"status": "ok"}


def open_emulator(dataset: xr.Dataset) -> Emulator:
    """The emulator that :func:`train` stored in ``dataset``; nothing in the file is executed.

    Raises
    ------
    FileError
        If the Dataset is no emulator, is of a newer layout, its training failed, or its weights are not those of its
        settings and size.
    """
    attributes = dataset.attrs
    missing = {"method", "settings", "layout", "size", "time_step", "residual_std", "status"} - set(attributes)
    if missing:
        raise FileError(f"this is no emulator file: it lacks the attributes {', '.join(sorted(missing))}")
    size, time_step, residual_std = numbers_of(attributes)
    if attributes["status"] == "failed":
        reason = attributes.get("reason", "no reason recorded")
        raise FileError(f"the training of this {attributes['method']} emulator failed: {reason}")
    weights = {
        str(name).removeprefix("weight_"): dataset[name].values for name in dataset if str(name).startswith("weight_")
    }
    part = part_in_file(attributes, *KINDS)
    try:
        settings: Any = part.settings.model_validate_json(attributes["settings"])
    except ValidationError as error:
        raise FileError(f"the settings in the emulator file cannot be used: {first_line(error)}") from error
    geometry = geometry_of({**attributes, "size": size})
    refuse_other_weights(weights, settings, geometry)
    try:
        emulator = emulator_of(settings, weights, geometry, time_step)
    except SettingsError as error:
        raise FileError(f"the settings in the emulator file do not fit its {size} sites: {error}") from error
    return replace(emulator, residual_std=residual_std)


def numbers_of(attributes: Mapping[str, Any]) -> tuple[int, float, float]:
    """Size, time step and residual of an emulator file.

    Raises
    ------
    FileError
        If they are not numbers that can be, or the file is of a newer layout.
    """
    try:
        layout, size = int(attributes["layout"]), int(attributes["size"])
        time_step, residual_std = float(attributes["time_step"]), float(attributes["residual_std"])
    except (TypeError, ValueError, OverflowError) as error:
        raise FileError(f"an attribute of the emulator file is not the number that it should be: {error}") from error
    if layout > LAYOUT:
        raise FileError(
            f"the emulator is stored in layout {layout}; this one reads up to {LAYOUT}: upgrade assimilearn"
        )
    if size < 1 or not 0 < time_step < np.inf:
        raise FileError(f"an emulator file of {size} sites with a time step of {time_step:g} MTU cannot be used")
    return size, time_step, residual_std


def refuse_other_weights(weights: Mapping[str, np.ndarray], settings: Any, geometry: Geometry) -> None:
    """Raise FileError unless the weights of a file are those of its settings and geometry."""
    method = method_of(settings)
    if not hasattr(method, "shapes"):
        raise FileError(f"what the method {settings.method} learns is stored as an emulator of another method")
    try:
        settings.refuse_unlike(geometry)
        shapes = method.shapes(settings, geometry.size)
    except SettingsError as error:
        raise FileError(f"the settings in the emulator file do not fit its {geometry.size} sites: {error}") from error
    problems = weight_problems(weights, shapes, getattr(method, "INFINITE", ()))
    problems = problems or method.problems(weights, settings)
    if problems:
        shown = "; ".join(problems[:3]) + (f"; and {len(problems) - 3} more" if len(problems) > 3 else "")
        raise FileError(f"the weights of this {settings.method} emulator are not those of its settings: {shown}")


def emulator_of(
    settings: EmulatorSettings, weights: Mapping[str, np.ndarray], geometry: Geometry, time_step: float
) -> Emulator:
    """An emulator from its settings and weights; its residual is not known yet."""
    method = method_of(settings)
    compiled = method.compiled(weights, settings, geometry) if settings.compiles else None
    mapping = None if settings.compiles else method.mapping(weights, settings, geometry)
    local = method.LOCAL and settings.local
    made = (settings, weights, geometry, time_step, float("nan"), compiled, mapping, local)
    more = method.more(weights, settings, geometry) if settings.more else {}
    if getattr(method, "differentiates", settings.differentiates):
        return DifferentiableEmulator(*made, partial(method.tensor_step, weights, settings, geometry), **more)
    return Emulator(*made, **more)
