"""Datasets of the form of the artifacts, made without the package's own producers: Lorenz-96 in ten lines.

Sizes are those of a real study (2000 test times, 10 analyses, 9 models), so that a crowded legend shows here.
"""

import json

import numpy as np
import xarray as xr

from assimilearn.models.geometry import grid, stations, without_space
from assimilearn.verification import Claim, Row

SITES, STEP, SPINUP, VALIDATION, TEST = 40, 0.05, 100, 300, 2000
LYAPUNOV_TIME = 1 / 1.69
CLIMATE_STD = 3.64
PUBLIC_SCORES = ("rmse", "forecast_rmse", "rmse_observed", "rmse_unobserved", "crps", "spread", "forecast_spread")
INNOVATION_SCORES = ("innovation_rmse", "innovation_spread", "innovation_chi_square")

# name: error, spread / error, correlation time of the error in analysis times
ANALYSES = {
    "climatology": (3.64, 1.0, 5),
    "interpolation": (1.05, 1.0, 6),
    "blue": (2.2, 1.0, 4),
    "3dvar": (0.75, 0.9, 8),
    "enkf": (0.34, 0.98, 8),
    "etkf": (0.28, 1.0, 8),
    "etkf-ridge": (0.55, 0.8, 8),
    "etkf-forest": (0.98, 0.7, 8),
    "etkf-mlp": (0.62, 0.85, 8),
    "etkf-cnn": (0.42, 0.95, 8),
}
ENSEMBLES = ("enkf", "etkf", "etkf-ridge", "etkf-forest", "etkf-mlp", "etkf-cnn")
# name: error of the forcing, noise of a step
MODELS = {
    "lorenz96": (0.0, 0.0),
    "ridge": (0.25, 0.04),
    "forest": (0.8, 0.4),
    "mlp": (0.3, 0.08),
    "cnn": (0.1, 0.01),
    "ridge-blue": (1.0, 0.2),
    "cnn-blue": (0.8, 0.1),
}


# name: relative error of the Lyapunov exponents
SPECTRA = {"cnn": 0.03, "ridge": 0.15, "ridge-blue": np.nan}


def tendency(x, forcing):
    return (np.roll(x, -1, -1) - np.roll(x, 2, -1)) * np.roll(x, 1, -1) - x + forcing


def advance(x, forcing=8.0):
    k1 = tendency(x, forcing)
    k2 = tendency(x + STEP / 2 * k1, forcing)
    k3 = tendency(x + STEP / 2 * k2, forcing)
    return x + STEP / 6 * (k1 + 2 * k2 + 2 * k3 + tendency(x + STEP * k3, forcing))


def run(start, steps, rng, forcing_error=0.0, noise=0.0):
    states = [start]
    for _ in range(steps):
        states.append(advance(states[-1], 8 + forcing_error) + noise * rng.standard_normal(start.shape))
    return np.stack(states)


def along_time(values, dims, periods, name="", units="1", times=None):
    times = STEP * np.arange(len(values)) if times is None else times
    return xr.Dataset(
        {name: (dims, values, {"units": units, "long_name": name.replace("_", " ")})},
        coords={"time": ("time", times, {"units": "MTU"}), "period": ("time", periods)},
    )


def correlated(shape, time, rng):
    noise = rng.standard_normal(shape)
    keep = np.exp(-1 / time)
    for k in range(1, len(noise)):
        noise[k] = keep * noise[k - 1] + np.sqrt(1 - keep**2) * noise[k]
    return noise


def make_truth(rng):
    start = run(rng.standard_normal(SITES), 400, rng)[-1]
    flags = np.repeat(np.array([0, 1, 2, 3], dtype=np.int8), [SPINUP, VALIDATION, VALIDATION, TEST])
    return along_time(run(start, len(flags) - 1, rng), ("time", "site"), flags, "state").assign_coords(
        site=np.arange(SITES)
    )


def make_observations(truth, rng):
    times, count = truth.sizes["time"], 20
    sites = np.stack([np.sort(rng.choice(SITES, count, replace=False)) for _ in range(times)]).astype(np.int32)
    valid = np.ones((times, count), dtype=np.int8)
    valid[::7, -4:] = 0
    value = np.take_along_axis(truth.state.values, sites, 1) + rng.standard_normal(sites.shape)
    dims = ("time", "observation")
    return xr.Dataset(
        {
            "value": (dims, np.where(valid, value, np.nan), {"units": "1"}),
            "error_std": (dims, np.ones(valid.shape), {"units": "1"}),
            "site_index": (dims, np.where(valid, sites, 0).astype(np.int32)),
            "valid": (dims, valid),
        },
        coords={"time": truth.time, "period": truth.period},
    )


def make_analysis(name, truth, observations, rng):
    error, ratio, memory = ANALYSES[name]
    burst = np.exp(0.35 * correlated((truth.sizes["time"], 1), 30, rng))
    errors = error * burst * correlated(truth.state.shape, memory, rng)
    mean = (truth.state.values + errors).astype(np.float32)
    at = np.take_along_axis(mean, observations.site_index.values, 1)
    innovation = np.where(observations.valid.values, observations.value.values - at, np.nan).astype(np.float32)
    spread = (ratio * error * burst * np.ones(mean.shape)).astype(np.float32)
    dims = ("time", "site")
    return xr.Dataset(
        {
            "mean": (dims, mean, {"units": "1"}),
            "spread": (dims, spread, {"units": "1"}),
            "innovation": (("time", "observation"), innovation, {"units": "1"}),
            "innovation_std": (("time", "observation"), np.full(innovation.shape, np.sqrt(1 + error**2), np.float32)),
        },
        coords={"time": truth.time, "period": truth.period, "site": truth.site},
        attrs={"method": name.split("-")[0], "status": "ok", "time_step": STEP, "interval": STEP},
    )


def make_analysis_scores(name, analysis, truth, rng):
    error = analysis["mean"].values - truth.state.values
    rmse, spread = np.sqrt((error**2).mean(1)), np.sqrt((analysis.spread.values**2).mean(1))
    innovation = np.sqrt(np.nanmean(analysis.innovation.values**2, 1))
    series = {
        "rmse": rmse,
        "forecast_rmse": 1.2 * rmse,
        "rmse_observed": 0.9 * rmse,
        "rmse_unobserved": 1.1 * rmse,
        "crps": 0.56 * rmse,
        "spread": spread,
        "forecast_spread": 1.2 * spread,
        "innovation_rmse": innovation,
        "innovation_spread": np.nanmean(analysis.innovation_std.values, 1),
        "innovation_chi_square": np.ones_like(rmse),
    }
    if name not in ENSEMBLES:
        del series["crps"]
    kind = "emulator" if name.startswith("etkf-") else "physical"
    scores = xr.Dataset(
        {key: ("time", value, {"units": "1"}) for key, value in series.items()},
        coords={"time": truth.time, "period": truth.period},
        attrs={
            "status": "ok",
            "convention": "time mean of the spatial rmse",
            "method": analysis.attrs["method"],
            "model_kind": kind,
        },
    )
    test = scores.period.values == 3
    scores["mean"] = ("score", [value[test].mean() for value in series.values()])
    scores["uncertainty"] = ("score", [3 * value[test].std() / np.sqrt(test.sum()) for value in series.values()])
    if name in ENSEMBLES:
        ranks = np.linspace(-1, 1, 31)
        shape = 1 + (1 / ANALYSES[name][1] - 1) * 2 * ranks**2
        scores["rank_histogram"] = ("rank", rng.poisson(2000 * shape), {"units": "1", "long_name": "rank of the truth"})
        scores["binned_spread"] = ("bin", spread[test].mean() * np.linspace(0.5, 1.7, 10), {"units": "1"})
        scores["binned_error"] = ("bin", rmse[test].mean() * np.linspace(0.6, 1.5, 10), {"units": "1"})
    return scores.assign_coords(score=list(series))


def make_model(truth, rng):
    state = truth.state.values
    edges = np.linspace(-12, 18, 61)
    covariance = np.cov(state.T)
    return xr.Dataset(
        {
            "mean": ("site", state.mean(0), {"units": "1"}),
            "std": ("site", state.std(0), {"units": "1"}),
            "covariance": (("site", "other_site"), covariance, {"units": "1"}),
            "pdf": ("value", np.histogram(state, edges, density=True)[0], {"units": "1"}),
            "power_spectrum": ("frequency", spectrum(state), {"units": "MTU"}),
            "lyapunov_exponent": ("index", 1.69 - 0.16 * np.arange(SITES), {"units": "MTU-1"}),
        },
        coords={
            "value": ("value", (edges[1:] + edges[:-1]) / 2, {"units": "1"}),
            "frequency": ("frequency", np.fft.rfftfreq(256, STEP), {"units": "MTU-1"}),
            "site": np.arange(SITES),
        },
        attrs={"method": "lorenz96", "node": "lorenz96", "time_step": STEP},
    )


def spectrum(state):
    pieces = (state[: len(state) // 256 * 256] - state.mean(0)).reshape(-1, 256, SITES)
    pieces = pieces * np.hanning(256)[None, :, None]
    return 2 * STEP * (np.abs(np.fft.rfft(pieces, axis=1)) ** 2).mean((0, 2)) / (np.hanning(256) ** 2).sum()


def make_forecast_scores(name, truth, model, rng, starts=25, steps=120):
    state, first = truth.state.values, truth.sizes["time"] - TEST
    chosen = first + 70 * np.arange(starts)
    verifying = np.stack([state[k + 1 : k + 1 + steps] for k in chosen])
    errors, example = [], None
    for std in (0.28, 0.0):
        initial = state[chosen] + std * rng.standard_normal((starts, SITES))
        forecast = forecast_of(name, initial, steps, state, rng)
        errors.append(np.sqrt(((forecast - verifying) ** 2).mean(2)) / CLIMATE_STD)
        example = forecast[0] if example is None else example
    error, lead = np.array(errors), STEP * np.arange(1, steps + 1)
    above = error > 0.5
    valid = np.where(above.any(2), lead[above.argmax(2)], lead[-1])
    free = forecast_of(name, state[:1], 2000, state, rng)[:, :, :].reshape(-1, SITES)[200:]
    pdf = np.histogram(free, np.linspace(-12, 18, 61), density=True)[0]
    diverging = name == "ridge-blue"
    scores = xr.Dataset(
        {
            "error": (("initial", "start", "lead"), error, {"units": "1"}),
            "error_mean": (("initial", "lead"), error.mean(1), {"units": "1"}),
            "error_uncertainty": (("initial", "lead"), error.std(1) / np.sqrt(starts), {"units": "1"}),
            "valid_time": (("initial", "start"), valid, {"units": "MTU"}),
            "censored": (("initial", "start"), (~above.any(2)).astype(np.int8), {"units": "1"}),
            "valid_time_mean": ("initial", valid.mean(1), {"units": "MTU"}),
            "valid_time_uncertainty": ("initial", valid.std(1) / np.sqrt(starts), {"units": "MTU"}),
            "forecast": (("lead", "site"), example, {"units": "1"}),
            "verifying": (("lead", "site"), verifying[0], {"units": "1"}),
            "mean": ("site", free.mean(0), {"units": "1"}),
            "std": ("site", free.std(0), {"units": "1"}),
            "pdf": ("value", pdf, {"units": "1"}),
            "power_spectrum": ("frequency", spectrum(free), {"units": "MTU"}),
        },
        coords={
            "initial": ["analysis", "truth"],
            "start": truth.time.values[chosen],
            "lead": ("lead", lead, {"units": "MTU"}),
            "value": model.value,
            "frequency": model.frequency,
            "site": truth.site,
        },
        attrs={
            "lyapunov_time": LYAPUNOV_TIME,
            "free_run": "diverged" if diverging else "ok",
            "threshold": 0.5,
            "normalisation": CLIMATE_STD,
            "model_kind": "physical" if name == "lorenz96" else "emulator",
        },
    )
    if name != "lorenz96":  # an emulator with a longer step has no power at the highest frequencies
        scores["power_spectrum"][-20:] = np.nan
    return scores.drop_vars(["mean", "std", "pdf", "power_spectrum"]) if diverging else scores


def make_verified_forecasts(number):
    """Errors of red noise with a memory of 12 h, and of a model that is better the smaller its number."""
    lead = np.arange(0.0, 49.0)
    rho = np.exp(-lead / 12)
    by_name = {
        "model": (1 - rho**2) * (0.8 + 0.1 * number),
        "persistence": 2 * (1 - rho),
        "damped_persistence": 1 - rho**2,
        "climatology": np.ones_like(lead),
    }
    error = np.stack(list(by_name.values())) + 0.05
    skill = 1 - error[:1] / error[1:]
    return xr.Dataset(
        {
            "verified_rmse": (("forecaster", "lead"), np.sqrt(error), {"units": "K"}),
            "skill": (("reference", "lead"), skill, {"units": "1"}),
            "skill_uncertainty": (("reference", "lead"), np.full(skill.shape, 0.05), {"units": "1"}),
        },
        {"lead": lead, "forecaster": list(by_name), "reference": list(by_name)[1:]},
        {"time_unit_seconds": 3600.0, "time_reference": "2013-01-01 00:00:00", "time_calendar": "standard"},
    )


def forecast_of(name, initial, steps, state, rng):
    """Forecasts (start, step, site) without the initial state."""
    if name == "persistence":
        return np.repeat(initial[:, None], steps, 1)
    if name == "climatology":
        return np.full((len(initial), steps, SITES), state.mean())
    return run(initial, steps, rng, *MODELS[name])[1:].swapaxes(0, 1)


def make_tuning(rng, settings, sensitivity=0.3):
    """Scores over a grid of settings: {name: (values, best value, is it logarithmic)}."""
    grids = np.meshgrid(*[values for values, _, _ in settings.values()], indexing="ij")
    flat = {name: grid.ravel() for name, grid in zip(settings, grids, strict=True)}
    score = np.full(grids[0].size, 0.08)
    for name, (_, best, logarithmic) in settings.items():
        away = np.log10(flat[name] / best) if logarithmic else (flat[name] - best) / best
        score = score * (1 + sensitivity * away**2)
    folds = score[:, None] * np.exp(0.15 * rng.standard_normal((1, 5)) + 0.03 * rng.standard_normal((score.size, 5)))
    best = int(folds.mean(1).argmin())
    return xr.Dataset(
        {
            "rollout": (("trial", "fold", "budget"), folds[..., None], {"units": "1"}),
            "mean_score": (("trial", "budget"), folds.mean(1)[:, None], {"units": "1"}),
            "standard_error": (("trial", "budget"), folds.std(1, ddof=1)[:, None] / np.sqrt(5), {"units": "1"}),
            "evaluation": (("trial", "budget"), np.arange(score.size)[:, None]),
            "best": ((), best),
            "train_size": ("fold", np.full(5, 2000)),
        },
        coords={f"setting_{name}": ("trial", values) for name, values in flat.items()},
        attrs={
            "chosen": json.dumps({name: float(values[best]) for name, values in flat.items()}),
            "objective": "rollout",
            "edges": "[]",
            "search": json.dumps({"method": "grid", "distributions": {}}),
        },
    )


def make_complexity(rng, setting, values, best):
    """A search of one number whose training error falls all the way."""
    found = make_tuning(rng, {setting: (values, best, True)})
    training = found["rollout"] * (found[f"setting_{setting}"] / best) ** -0.3
    return found.assign(training=training.assign_attrs(units="1"), one_step=0.5 * found["rollout"])


def make_draws(rng):
    """A search that draws one number in 12 trials."""
    inflation = rng.uniform(1.0, 1.4, 12)
    found = make_tuning(rng, {"inflation": (inflation, 1.1, False)}, 30)
    distributions = {"inflation": {"distribution": "uniform", "low": 1.0, "high": 1.4}}
    return found.assign_attrs(search=json.dumps({"method": "gp", "distributions": distributions}))


def make_emulator(method, epochs, floor, rng):
    epoch = np.arange(1, epochs + 1)
    loss = floor + 2 * np.exp(-epoch / 6) + 0.3 / epoch
    validation = 1.1 * loss + 0.0008 * np.maximum(epoch - 0.6 * epochs, 0) ** 1.3
    noisy = validation * np.exp(0.02 * rng.standard_normal(epochs))
    return xr.Dataset(
        {"loss": ("epoch", loss, {"units": "1"}), "validation_loss": ("epoch", noisy, {"units": "1"})},
        coords={"epoch": epoch},
        attrs={"method": method, "status": "ok", "residual_std": floor**0.5},
    )


def make_training(method, batch, epochs, rng, status="ok"):
    """The same with the loss of every step, of some windows at a time."""
    emulator = make_emulator(method, epochs, 0.05, rng).assign_attrs(status=status)
    steps = epochs * (640 // batch)
    return emulator.assign(step_loss=("step", np.linspace(2, 0.05, steps), {"units": "1"}))


def make_polynomial(rng):
    """Coefficients of all monomials up to the second degree on five sites."""
    places = [f"x[{a:+d}]".replace("+0", "0") for a in range(-2, 3)]
    names = ["1", *places, *(f"{a} {b}" for i, a in enumerate(places) for b in places[i:])]
    truth = np.array([{"1": 8.0, "x[0]": -1.0, "x[-1] x[+1]": 1.0, "x[-2] x[-1]": -1.0}.get(n, 0.0) for n in names])
    error = 0.003 * (1 + 5 * (np.arange(len(names)) < 6))
    values = {
        "coefficient": truth + error * rng.standard_normal(truth.size),
        "coefficient_std": error,
        "first_guess": 0.78 * truth + 20 * error * rng.standard_normal(truth.size),
    }
    return xr.Dataset(
        {name: ("monomial", array, {"units": "MTU-1"}) for name, array in values.items()}, {"monomial": names}
    )


def make_loop_scores(like):
    """Twelve cycles that improve, of which three were enough for another loop: {"LOOP.CYCLE": scores}."""
    errors = {"paper": 0.3 + 0.9 * np.exp(-np.arange(12) / 4), "ours": np.array([0.33, 0.30, 0.31])}
    result = {}
    for loop, values in errors.items():
        innovations = np.sqrt(1 + (1.4 * values) ** 2)
        for k, value in enumerate(values):
            scores = like[["score", "mean", "uncertainty"]].copy(deep=True)
            scores["mean"] = scores["mean"] * value / float(scores["mean"].sel(score="rmse"))
            text = json.dumps(innovations[: k + 1].tolist())
            result[f"{loop}.{k + 1}"] = scores.assign_attrs(cycle=k + 1, innovation_scores=text, status="ok")
    return result


def make_sweep(method, over, by, floor, rng, members=None):
    """Scores that fall with the number of members to ``floor``, over two inflations and five realizations."""
    sizes = [len(values) for values in over.values()]
    rmse = np.full((*sizes, 5), floor)
    if "members" in over:
        fall = 5 * np.exp(-np.array(over["members"], dtype=float) / 4)
        axis = list(over).index("members")
        rmse += np.moveaxis(np.broadcast_to(fall, (*rmse.shape[:axis], *rmse.shape[axis + 1 :], fall.size)), -1, axis)
    rmse = rmse * rng.uniform(0.97, 1.03, rmse.shape)
    dims = (*over, "realization")
    return xr.Dataset(
        {
            "rmse": (dims, rmse),
            "status": (dims, np.zeros(rmse.shape, np.int8)),
            "rmse_median": (tuple(over), np.median(rmse, axis=-1)),
        },
        coords=over,
        attrs={
            "method": method,
            "scenario": "base",
            "by": json.dumps(by),
            "settings": json.dumps(
                {"sweep": {"analysis": {"method": method} | ({"members": members} if members else {})}}
            ),
        },
    )


def make_sweeps(rng):
    members, inflation = [5, 7, 10, 15, 20, 30, 50], [1.0, 1.05]
    return {
        "3dvar": make_sweep("3dvar", {}, [], 0.41, rng),
        "enkf": make_sweep("enkf", {"members": members, "inflation": inflation}, ["members"], 0.2, rng),
        "etkf": make_sweep("etkf", {"inflation": inflation, "members": members}, ["members"], 0.17, rng),
        "enkf-n": make_sweep(
            "enkf-n", {"members": [20, 24], "certainty": [1.0, 2.0]}, ["members", "certainty"], 0.19, rng
        ),
        "letkf-7": make_sweep("letkf", {}, [], 0.22, rng, members=7),
    }


def make_claims():
    """Published numbers of some of the sweeps' rows, and one of something else."""
    rows = {f"base/etkf/members={size}/rmse": 0.18 + 5 * np.exp(-size / 4) for size in (5, 10, 20)}
    rows |= {"base/3dvar/rmse": 0.4, "base/enkf-n/members=24/certainty=2/rmse": 0.2, "base/lorenz96/mean": 2.34}
    return {row: Claim(published=value, source="a paper") for row, value in rows.items()}


def make_one_step(noise, rng):
    """Increments with an error, and a free run that dies out the faster the larger it is."""
    true, time = rng.standard_normal(500), STEP * np.arange(400)
    run = 2.3 + 3.6 * np.sin(2 * time) * np.exp(-noise * time)
    return xr.Dataset(
        {
            "increment": ("sample", true + noise * rng.standard_normal(500)),
            "true_increment": ("sample", true),
            "free_run_state": ("run_time", run, {"units": "1"}),
        },
        {"run_time": ("run_time", time, {"units": "MTU"})},
    )


def make_classifier_scores(k):
    """A classifier of an event that is the surer of itself the larger k."""
    said = (np.arange(10) + 0.5) / 10
    frequency = 0.5 + (said - 0.5) * (1 - 0.15 * k)
    table = {"mean_probability": [1 - said, said], "frequency": [1 - frequency, frequency]}
    cases = 1000 * np.abs(said - 0.5) + 50
    scores = {name: (("category", "bin"), values) for name, values in (table | {"cases": [cases[::-1], cases]}).items()}
    return xr.Dataset(scores, attrs={"brier_skill": 0.5 - 0.1 * k, "accuracy": 0.9 - 0.05 * k})


def make_cost(k):
    """Seconds of the k-th model; the first is not trained."""
    return xr.Dataset({"training_seconds": ((), 2.0 * k), "step_seconds": ((), 1e-6 * 3.0**k)})


def make_spectrum(error):
    """Exponents of a model whose spectrum is too steep by ``error``; none for a model that diverged."""
    reference = 1.69 - 0.16 * np.arange(SITES)
    return xr.Dataset(
        {"lyapunov_exponent": ("index", reference * (1 + error)), "lyapunov_reference": ("index", reference)}
    )


VARIATIONS = {
    "observations.error_std": [0.5, 1.0, 1.5, 2.0],
    "observations.network.count": [10, 15, 20, 30, 40],
    "periods.train": [2000, 5000, 10000, 20000, 40000],
}
USUAL = {"observations.error_std": 1.0, "observations.network.count": 20, "periods.train": 10000}


def make_variations():
    """Scenarios that vary one of three settings, three realizations each: {setting: {scenario: value}}."""
    return {
        path: {
            f"{'usual' if value == USUAL[path] else f'{path}={value}'}-{r}": value for value in values for r in range(3)
        }
        for path, values in VARIATIONS.items()
    }


def make_rows(rng):
    """Rows of a scorecard of those scenarios, and of others that no figure of them shows."""
    rows = [Row("elsewhere/etkf/rmse", 9.0), Row("usual-0/etkf/spread", 9.0)]
    for scenario in sorted({name for values in make_variations().values() for name in values}):
        for node, error in (("interpolation", 1.05), ("etkf", 0.28), ("windows", 0.29)):
            rows.append(Row(f"{scenario}/{node}/rmse", error * rng.uniform(0.95, 1.05)))
            rows.append(Row(f"{scenario}/{node}/innovation_rmse", 1 + error * rng.uniform(0.95, 1.05)))
        for node, time in (("lorenz96", 4.4), ("windows", 4.1)):
            rows.append(Row(f"{scenario}/{node}/valid_time_lyapunov", time * rng.uniform(0.9, 1.1)))
    rows.append(Row("base/3dvar/rmse", 0.41, 0.01, published="0.4", passed=True))
    rows.append(Row("base/lorenz96/mean", 2.9, 0.02, published="2.34", passed=False))
    return rows


def make_explanation(rng):
    """Importance, Jacobian and partial dependence of nine inputs around a site of a ring."""
    shape, grid = (1, 9), np.linspace(-5, 10, 15)
    table = {n: (("output", "input"), rng.uniform(0.01, 1, shape)) for n in ("importance", "jacobian", "jacobian_std")}
    table |= {n: (("output", "input"), rng.uniform(0, 1, shape)) for n in ("physical_jacobian", "physical_strength")}
    values = np.broadcast_to(grid, (*shape, grid.size))
    return xr.Dataset(
        {
            **table,
            "dependence_value": (("output", "input", "point"), values),
            "dependence": (("output", "input", "point"), 0.1 * values * rng.uniform(-1, 1, (1, 9, 1))),
        },
        coords={
            "output_site": ("output", [20]),
            "input_site": (("output", "input"), np.arange(16, 25)[None]),
            "offset": ("input", np.arange(-4, 5)),
        },
        attrs={"jacobian_error": float(rng.uniform(0.05, 0.5)), "stencil_found": 1.0},
    )


def make_study():
    """All kinds of datasets of one scenario, by the names that ``figures.plot`` knows."""
    rng = np.random.default_rng(7)
    truth = make_truth(rng)
    observations = make_observations(truth, rng)
    model = make_model(truth, rng)
    analyses = {name: make_analysis(name, truth, observations, rng) for name in ANALYSES}
    names = [*list(MODELS)[:1], "persistence", "climatology", *list(MODELS)[1:]]
    penalties = 10.0 ** np.arange(-6, 3)
    tuning = {
        "ridge": make_tuning(rng, {"penalty": (penalties, 1e-2, True)}),
        "cnn": make_tuning(
            rng,
            {
                "learning_rate": (10.0 ** np.arange(-4, -0.9, 0.5), 3e-3, True),
                "width": (np.array([12, 24, 36, 48]), 24, False),
            },
        ),
    }
    ridge = xr.Dataset({"weight_matrix": (("row", "column"), np.ones((3, 3)))}, attrs={"method": "ridge"})
    analysis_scores = {name: make_analysis_scores(name, a, truth, rng) for name, a in analyses.items()}
    sweeps = make_sweeps(rng)
    return {
        "truth": truth,
        "observations": observations,
        "model": model,
        "analyses": analyses,
        "analysis_scores": analysis_scores,
        "spectra": {name: make_spectrum(error) for name, error in SPECTRA.items()},
        "verified_forecasts": {name: make_verified_forecasts(k) for k, name in enumerate(("ridge", "cnn"))},
        "polynomials": {"windows": make_polynomial(rng), "windows-short": make_polynomial(rng)},
        "explanations": {name: make_explanation(rng) for name in ("ridge", "forest", "cnn")},
        "loop_scores": make_loop_scores(analysis_scores["etkf-cnn"]),
        "forecast_scores": {name: make_forecast_scores(name, truth, model, rng) for name in names},
        "tuning": tuning,
        "one_steps": {name: make_one_step(0.02 * k, rng) for k, name in enumerate((*names, "gru", "tree"))},
        "classifier_scores": {name: make_classifier_scores(k) for k, name in enumerate(("logistic", "network"))},
        "costs": {name: make_cost(k) for k, name in enumerate(names)},
        "complexities": {
            "forest": make_complexity(rng, "max_depth", np.array([2, 4, 8, 16]), 8),
            "mlp": make_complexity(rng, "width", 2.0 ** np.arange(1, 9), 64),
        },
        "data_curves": {
            name: make_complexity(rng, "training_times", 10 ** np.arange(2, 6), 1e6) for name in ("ridge", "cnn")
        },
        "surrogates": {"etkf": make_draws(rng)},
        "tuned_analyses": {"etkf": make_draws(rng).assign_attrs(objective="innovation_rmse")},
        "sweeps": sweeps,
        "grids": {name: sweeps[name] for name in ("enkf", "etkf", "enkf-n")},
        "claims": make_claims(),
        "variations": make_variations(),
        "rows": make_rows(rng),
        "trainings": {
            "all": make_training("mlp", 640, 40, rng),
            "minibatch": make_training("mlp", 64, 30, rng),
            "stochastic": make_training("mlp", 1, 20, rng),
            "large-rate": make_training("mlp", 64, 5, rng, status="diverged"),
        },
        "emulators": {
            "ridge": ridge,
            "mlp": make_emulator("mlp", 90, 0.09, rng),
            "cnn": make_emulator("cnn", 60, 0.05, rng),
            "cnn-blue": make_emulator("cnn", 45, 0.4, rng),
        },
    }


def without_truth(study):
    """What a study of real observations has: nothing that needs a truth."""
    study = {"analysis_scores": {}, "forecast_scores": {}, "loop_scores": {}, "rows": [], **study}
    scores = {}
    for name, full in study["analysis_scores"].items():
        kept = full.drop_vars([*(key for key in PUBLIC_SCORES if key in full), "mean", "uncertainty", "score"])
        kept = kept.drop_vars("rank_histogram", errors="ignore")
        part = full[["mean", "uncertainty"]].sel(score=[*INNOVATION_SCORES])
        scores[name] = kept.assign({key: part[key] for key in ("mean", "uncertainty")})
    absent = ["verifying", "valid_time", "censored", "valid_time_mean", "valid_time_uncertainty"]
    forecasts = {
        name: full.sel(initial=["analysis"]).drop_vars(absent) for name, full in study["forecast_scores"].items()
    }
    loops = {name: full.sel(score=["innovation_rmse"]) for name, full in study["loop_scores"].items()}
    return {
        **study,
        "truth": None,
        "analysis_scores": scores,
        "forecast_scores": forecasts,
        "loop_scores": loops,
        "rows": [row for row in study["rows"] if not row.name.endswith(("/rmse", "/valid_time_lyapunov"))],
    }


PLANE = grid({"height": (8, 12), "wind": (8, 12)}, spacing=2.0, periodic=(False, True), units="km")
CONVECTION = without_space(["x", "y", "z"])


def make_stations_study():
    """Two fields at four stations, of the last of which no analysis sees anything."""
    places = {"latitude": np.array([50.0, 51.0, 52.0, 53.0]), "longitude": np.array([1.0, 3.0, 2.0, 4.0])}
    study = make_fields_study(stations({"sst": "K", "slp": "hPa"}, ["north", "east", "south", "west"], places))
    observations = study["observations"]
    west = observations["site_index"] % 4 == 3
    return study | {
        "observations": observations.assign(valid=observations["valid"] * ~west),
        "withheld": observations.assign(valid=observations["valid"] * west),
    }


def make_fields_study(geometry, rng=None):
    """Truth, observations of half of the sites and two analyses of a model with this geometry, smooth in time."""
    rng = rng or np.random.default_rng(3)
    times, size, count = 60, geometry.size, max(geometry.size // 2, 2)
    phase, scale = rng.uniform(0, 2 * np.pi, size), np.where(geometry.field_of == 0, 10.0, 1.0)
    state = scale * np.sin(0.3 * np.arange(times)[:, None] + phase)
    sites = np.stack([np.sort(rng.choice(size, count, replace=False)) for _ in range(times)]).astype(np.int32)
    periods = np.repeat(np.array([1, 3], dtype=np.int8), [20, 40])
    value = np.take_along_axis(state, sites, 1) + 0.1 * rng.standard_normal(sites.shape)
    known = ("time", "observation")
    coords = {"time": STEP * np.arange(times), "period": ("time", periods)}
    observations = xr.Dataset(
        {"value": (known, value), "site_index": (known, sites), "valid": (known, np.ones(sites.shape, np.int8))},
        coords,
        geometry.attributes,
    )
    truth = xr.Dataset({"state": (("time", "site"), state)}, coords, geometry.attributes)
    analyses = {}
    for name, error in (("blue", 0.3), ("letkf", 0.1)):
        mean = state + error * scale * rng.standard_normal(state.shape)
        innovation = value - np.take_along_axis(mean, sites, 1)
        analyses[name] = xr.Dataset(
            {
                "mean": (("time", "site"), mean),
                "spread": (("time", "site"), error * scale * rng.uniform(0.8, 1.2, state.shape)),
                "innovation": (known, innovation),
            },
            coords,
            {"method": name, "model_kind": "physical", "status": "ok", **geometry.attributes},
        )
    return {"truth": truth, "observations": observations, "analyses": analyses}
