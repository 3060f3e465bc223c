"""How well and how fast a model is learned from windows of observations of Lorenz-96.

    OMP_NUM_THREADS=1 python benchmarks/learning_from_windows.py --times 40000 --realizations 3

One line a realization: seconds of the fit, errors of the coefficients, and, with --score, the analysis rmse of an ETKF
with the learned model over the same filter with the true one (test period, same observations and random numbers) and
the relative error of the leading Lyapunov exponent. The truth is used for the last two alone.
"""

import argparse
import time

import numpy as np

from assimilearn.assimilation import assimilate
from assimilearn.assimilation.methods.etkf import ETKFSettings
from assimilearn.assimilation.methods.interpolation import InterpolationSettings
from assimilearn.emulators import open_emulator
from assimilearn.emulators.classical.polynomial import PolynomialSettings
from assimilearn.emulators.windows.fit import WindowSettings
from assimilearn.emulators.windows.learn import LearnSettings, learn
from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.models.lyapunov import lyapunov_exponents
from assimilearn.models.truth import TruthSettings, simulate
from assimilearn.observations.networks import MovingRandom
from assimilearn.observations.observe import ObservationSettings, observe
from assimilearn.periods import TEST, Periods, period_flags

LORENZ96 = {"1": 8.0, "x[0]": -1.0, "x[-1] x[+1]": 1.0, "x[-2] x[-1]": -1.0}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=10_000, help="observation times of the training period")
    parser.add_argument("--realizations", type=int, default=1)
    parser.add_argument("--error-std", type=float, default=1.0)
    parser.add_argument("--count", type=int, default=20, help="observed sites of 40")
    parser.add_argument("--every", type=int, default=1, help="model steps between observation times")
    parser.add_argument("--radius", type=int, default=2)
    parser.add_argument("--degree", type=int, default=2)
    parser.add_argument("--substeps", type=int, default=1)
    parser.add_argument("--lengths", type=int, nargs="+", default=list(WindowSettings().lengths))
    parser.add_argument("--background", type=float, default=WindowSettings().background)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--score", action="store_true", help="assimilate with both models, measure lambda_1")
    parser.add_argument("--history", action="store_true", help="print cost and forecast cost of every step")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    model = Lorenz96(Lorenz96Settings())
    climatology_file = climate(model, ClimateSettings(duration=500.0, lyapunov_duration=1.0), np.random.default_rng(99))
    for realization in range(options.realizations):
        rngs = np.random.default_rng(realization).spawn(4)
        periods = Periods(spinup=100, train=options.times, gap=100, validation=2000, test=2000)
        times = np.arange(periods.total) * model.time_step * options.every
        truth = simulate(model, TruthSettings(), times, period_flags(periods), rngs[0])
        network = MovingRandom(count=options.count)
        observing = ObservationSettings(network=network, error_std=options.error_std, every=options.every)
        observations = observe(truth, observing, rngs[1])
        start = assimilate(observations, model, InterpolationSettings(), climatology_file, rngs[2])
        settings = LearnSettings(
            polynomial=PolynomialSettings(radius=options.radius, degree=options.degree, substeps=options.substeps),
            windows=WindowSettings(lengths=tuple(options.lengths), background=options.background),
        )
        clock, cpu = time.perf_counter(), time.process_time()
        learned = learn(start, observations, settings, rngs[3], options.workers)
        clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
        report(realization, learned, clock, cpu, options.history)
        if options.score and learned.attrs["status"] == "ok":
            score(model, learned, truth, observations, climatology_file)


def report(realization, learned, clock, cpu, with_history) -> None:
    truth = np.array([LORENZ96.get(str(name), 0.0) for name in learned["monomial"].values])
    error = learned["coefficient"].values - truth
    standard = error / learned["coefficient_std"].values
    print(
        f"realization {realization}: {clock:.1f} s, {cpu:.1f} cpu s; {learned.attrs['status']};"
        f" window {learned.attrs['window_length']}; residual_std {learned.attrs['residual_std']:.4f};"
        f" coefficients: first guess off by {np.abs(learned['first_guess'].values - truth).max():.3f}, learned by"
        f" {np.abs(error).max():.4f} (rms {np.sqrt(np.mean(standard**2)):.2f} standard errors)",
        flush=True,
    )
    if with_history:
        names = ("window_length", "loss", "validation_loss", "windows_used", "windows_rejected", "damping")
        for row in zip(*(learned[name].values for name in names), strict=True):
            print("   window {:3d} cost {:.4f} forecast {:.4f} used {} rejected {} damping {:g}".format(*row))


def score(model, learned, truth, observations, climatology_file) -> None:
    emulator = open_emulator(learned)
    test = truth["period"].values == TEST
    rmse = []
    for forecast_model in (model, emulator):
        if forecast_model.time_step != observations.attrs["interval"] and forecast_model is not model:
            raise SystemExit("the emulator steps by one interval")
        rng = np.random.default_rng(7)
        settings = ETKFSettings(members=30, inflation=1.02)
        analysis = assimilate(observations, forecast_model, settings, climatology_file, rng)
        error = analysis["mean"].values[test] - truth["state"].values[test]
        rmse.append(float(np.sqrt((error**2).mean(axis=1)).mean()))
    exponent = [lyapunov_exponents(m, 500.0, np.random.default_rng(8), count=1)[0] for m in (model, emulator)]
    print(
        f"   rmse true {rmse[0]:.4f}, learned {rmse[1]:.4f}, ratio {rmse[1] / rmse[0]:.3f};"
        f" lambda_1 true {exponent[0]:.3f}, learned {exponent[1]:.3f} ({100 * (exponent[1] / exponent[0] - 1):+.1f} %)",
        flush=True,
    )


if __name__ == "__main__":
    main()
