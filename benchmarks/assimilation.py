"""The classical cycle against DAPPER: same truth, same observations, in alternation; both must reach the same rmse.a.

    make benchmark-assimilation
    .venv/bin/python benchmarks/assimilation.py --peer .venv-dapper/bin/python --rounds 5 --cycles 1000

Prints a Markdown table: processor time of one cycle here (forecast, update, scores, random numbers), of DAPPER with its
statistics ("as run") and of its bare calls of model and analysis, and the ratios; median over rounds, lowest and
highest in brackets. The last columns are of a sweep of 64 experiments on threads: wall time of a cycle of one of them.
Exits with 1 if the two differ in rmse.a by more than 0.015.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import numpy as np

from assimilearn.assimilation import METHODS
from assimilearn.assimilation.problem import pose
from assimilearn.assimilation.sweep import experiment, sweep
from assimilearn.assimilation.twin import TwinSettings, simulate_twin
from assimilearn.kernels import drop_stale_kernels
from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.models.truth import TruthSettings
from assimilearn.observations.networks import AllSites
from assimilearn.observations.observe import ObservationSettings

TOLERANCE = 0.015
SWEEP = 64
INFLATIONS = 8


class Case(NamedTuple):
    """One method with the settings of both sides."""

    method: str
    settings: dict
    peer: str
    peer_settings: dict
    size: int = 40
    cycles: float = 1.0  # factor on the number of cycles


CASES = {
    "stochastic EnKF, N=28": Case(
        "enkf", {"members": 28, "inflation": 1.08}, "EnKF", {"upd_a": "PertObs", "N": 28, "infl": 1.08}
    ),
    "DEnKF, N=40": Case("denkf", {"members": 40, "inflation": 1.01}, "EnKF", {"upd_a": "DEnKF", "N": 40, "infl": 1.01}),
    "ETKF, N=28": Case(
        *("etkf", {"members": 28, "inflation": 1.02, "rotation": True}, "EnKF"),
        {"upd_a": "Sqrt", "N": 28, "infl": 1.02, "rot": True},
    ),
    "serial ESRF, N=28": Case(
        *("esrf", {"members": 28, "inflation": 1.02, "rotation": True}, "EnKF"),
        {"upd_a": "Serial", "N": 28, "infl": 1.02, "rot": True},
    ),
    "EnKF-N, N=24": Case("enkf-n", {"members": 24, "rotation": True}, "EnKF_N", {"N": 24, "rot": True}),
    "LETKF, N=7": Case(
        *("letkf", {"members": 7, "inflation": 1.04, "localization_radius": 4, "rotation": True}, "LETKF"),
        {"N": 7, "infl": 1.04, "loc_rad": 4, "rot": True},
    ),
    "LETKF, N=20, 400 sites": Case(
        *("letkf", {"members": 20, "inflation": 1.02, "localization_radius": 4}, "LETKF"),
        *({"N": 20, "infl": 1.02, "loc_rad": 4}, 400, 0.2),
    ),
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", type=Path, required=True, help="python of an environment with DAPPER 1.8.1")
    parser.add_argument("--rounds", type=int, default=5, help="times that both sides run each method in turn")
    parser.add_argument("--cycles", type=int, default=1000, help="analysis times of a run")
    parser.add_argument("--burn-in", type=int, default=200, help="analysis times that no score counts")
    parser.add_argument("--workers", type=int, default=2, help="threads of the sweep")
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    return parser.parse_args()


class Peer:
    """DAPPER in a process of its own, which answers one request after another."""

    def __init__(self, python: Path):
        command = [str(python), str(Path(__file__).with_name("dapper_worker.py"))]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request) -> dict:
        """The answer to one request."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit("the process of DAPPER ended: its message stands above")
        return json.loads(answer)


class Bench:
    """Everything that the cases share."""

    def __init__(self, options: argparse.Namespace, folder: Path):
        self.options, self.folder, self.peer = options, folder, Peer(options.peer)
        self.climates: dict = {}

    def twin(self, case: Case, realization: int):
        """Model, climatology and one realization: one analysis time more than cycles, for the start."""
        model = Lorenz96(Lorenz96Settings(size=case.size))
        if case.size not in self.climates:
            settings = ClimateSettings(duration=500, lyapunov_duration=1, lyapunov_count=1)
            self.climates[case.size] = climate(model, settings, np.random.default_rng(0))
        length = TwinSettings(steps=self.cycles(case) + 1, burn_in=self.burn_in(case) + 1)
        rngs = np.random.default_rng([1, realization]).spawn(3)
        observing = ObservationSettings(network=AllSites())
        return model, self.climates[case.size], simulate_twin(model, length, TruthSettings(), observing, *rngs)

    def cycles(self, case: Case) -> int:
        """Analysis times of a run."""
        return round(self.options.cycles * case.cycles)

    def burn_in(self, case: Case) -> int:
        """Analysis times that no score counts."""
        return round(self.options.burn_in * case.cycles)

    def round(self, case: Case, realization: int) -> dict[str, float]:
        """Seconds a cycle on both sides and both rmse.a, in one realization."""
        model, model_file, twin = self.twin(case, realization)
        file = self.folder / "twin.npz"
        np.savez(file, truth=twin.truth["state"].values, observations=twin.observations["value"].values[1:])
        request = {"file": str(file), "time_step": model.time_step, "burn_in": self.burn_in(case)}
        theirs = self.peer.ask(**request, seed=realization + 1, method=case.peer, settings=case.peer_settings)
        problem, settings = pose(twin.observations, model, model_file), METHODS[case.method](**case.settings)
        start = time.process_time()
        scores = experiment(problem, twin.truth["state"].values, settings, twin.rng)
        ours = time.process_time() - start
        cycles = self.cycles(case)
        return {
            "ours": ours / cycles,
            "as_run": theirs["as_run"] / cycles,
            "bare": (theirs["bare"] or np.nan) / cycles,
            "rmse": scores.rmse,
            "peer_rmse": theirs["rmse"],
            "sweep": self.sweep(case, realization),
        }

    def sweep(self, case: Case, realization: int) -> float:
        """Wall seconds of a cycle of one experiment, in a sweep over realizations and inflations (or certainties)."""
        twins = [self.twin(case, realization + r) for r in range(SWEEP // INFLATIONS)]
        model, model_file, _ = twins[0]
        name = "certainty" if case.method == "enkf-n" else "inflation"
        over = {name: [round(1 + 0.01 * k, 2) for k in range(1, INFLATIONS + 1)]}
        settings = METHODS[case.method](**case.settings)
        start = time.perf_counter()
        sweep([twin for *_, twin in twins], model, settings, over, model_file, self.options.workers)
        return (time.perf_counter() - start) / SWEEP / self.cycles(case)


def main() -> None:
    options = arguments()
    drop_stale_kernels()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options, Path(folder))
        results: dict[str, list[dict[str, float]]] = {name: [] for name in options.cases}
        for name in options.cases:  # compile, on both sides, before anything is measured
            short = CASES[name]._replace(cycles=40 / options.cycles)
            bench.round(short, 0)
        for realization in range(options.rounds):
            for name in options.cases:
                results[name].append(bench.round(CASES[name], realization))
                print(f"round {realization + 1}: {name}", file=sys.stderr, flush=True)
        bench.peer.process.stdin.close()
    print_table(results, options.workers)
    sys.exit(any(disagree(rounds) for rounds in results.values()))


def print_table(results: dict[str, list[dict[str, float]]], workers: int) -> None:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"Times are ms of a cycle; {os.cpu_count()} cores, load averages {load}.\n")
    print(
        "| method | rmse.a here / DAPPER | here, one core | DAPPER bare | ratio | DAPPER as run | ratio "
        f"| sweep of {SWEEP}, {workers} threads | ratio to as run |"
    )
    print("|---" * 9 + "|")
    for name, rounds in results.items():
        column = {key: np.array([r[key] for r in rounds]) for key in rounds[0]}
        cells = [
            name,
            f"{np.median(column['rmse']):.3f} / {np.median(column['peer_rmse']):.3f}"
            + (" **differ**" if disagree(rounds) else ""),
            spread(1e3 * column["ours"], "{:.3f}"),
            spread(1e3 * column["bare"], "{:.2f}"),
            spread(column["bare"] / column["ours"], "{:.0f}"),
            spread(1e3 * column["as_run"], "{:.2f}"),
            spread(column["as_run"] / column["ours"], "{:.0f}"),
            spread(1e3 * column["sweep"], "{:.3f}"),
            spread(column["as_run"] / column["sweep"], "{:.0f}"),
        ]
        print(f"| {' | '.join(cells)} |")


def spread(values: np.ndarray, form: str) -> str:
    """Median, with the lowest and the highest value."""
    if np.isnan(values).any():
        return "–"
    return f"{form} [{form}, {form}]".format(np.median(values), values.min(), values.max())


def disagree(rounds: list[dict[str, float]]) -> bool:
    """Whether the two sides differ in rmse.a; NaN differs from everything."""
    ours, theirs = (np.median([r[key] for r in rounds]) for key in ("rmse", "peer_rmse"))
    return not abs(ours - theirs) <= TOLERANCE


if __name__ == "__main__":
    main()
