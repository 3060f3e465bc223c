"""The classical cycle against DAPPER: same truth, same observations, in alternation; both must reach the same rmse.a.

    make benchmark-assimilation
    .venv/bin/python benchmarks/assimilation.py --peer .venv-dapper/bin/python --rounds 5 --cycles 1000

Measures processor time of one cycle here (forecast, update, scores, random numbers), of DAPPER with its statistics ("as
run") and of its bare calls of model and analysis; and wall time of a cycle of one of 64 experiments on threads. Then
the cost against the number of sites and of members, on both sides.

Writes results/benchmarks/assimilation.json, .md (tables: median over rounds, lowest and highest in brackets) and .svg,
.png; ``--publish`` puts table and figure into docs/assimilation-speed.md. Exits with 1 if the two sides differ in
rmse.a by more than 0.015.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import numpy as np
from peer import Peer
from speed_page import disagree, machine, publish, report

from assimilearn.assimilation import METHODS
from assimilearn.assimilation.problem import Problem, pose
from assimilearn.assimilation.settings import AnalysisSettings
from assimilearn.assimilation.twin import Twin, TwinSettings, simulate_twin
from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.models.truth import TruthSettings
from assimilearn.observations.networks import AllSites
from assimilearn.observations.observe import ObservationSettings
from assimilearn.tuning.sweep import experiment, sweep

ROOT = Path(__file__).resolve().parents[1]
LARGEST_PEER = 2000  # sites: beyond, one cycle of DAPPER's LETKF takes seconds
REPEATS = 3  # runs of ours that are timed together: one is too short for the clock
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
    swept: bool = True


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
        *({"N": 20, "infl": 1.02, "loc_rad": 4}, 400, 0.2, False),
    ),
    "IEnKS, N=25, lag 1": Case(
        *("ienks", {"members": 25, "inflation": 1.02, "rotation": True}, "iEnKS"),
        {"upd_a": "Sqrt", "N": 25, "Lag": 1, "nIter": 10, "infl": 1.02, "rot": True},
        *(40, 0.5, False),
    ),
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", type=Path, required=True, help="python of an environment with DAPPER 1.8.1")
    parser.add_argument("--rounds", type=int, default=3, help="times that both sides run each method in turn")
    parser.add_argument("--cycles", type=int, default=600, help="analysis times of a run")
    parser.add_argument("--burn-in", type=int, default=200, help="analysis times that no score counts")
    parser.add_argument("--workers", type=int, default=2, help="threads of the sweep")
    parser.add_argument("--cases", nargs="*", choices=list(CASES), default=list(CASES))
    parser.add_argument("--sites", type=int, nargs="*", default=[40, 400, 4000, 40_000], help="sizes of the LETKF")
    parser.add_argument("--members", type=int, nargs="*", default=[10, 20, 40, 80], help="sizes of the ensemble")
    parser.add_argument("--output", type=Path, default=ROOT / "results" / "benchmarks", help="folder to write to")
    parser.add_argument("--publish", action="store_true", help="put table and figure into docs/")
    return parser.parse_args()


class Bench:
    """Everything that the cases share."""

    def __init__(self, options: argparse.Namespace, folder: Path):
        self.options, self.folder, self.peer = options, folder, Peer(options.peer)
        self.climates: dict = {}

    def twin(self, case: Case, realization: int):
        """Model, climatology and one realization: one analysis time more than cycles, for the start."""
        model = Lorenz96(Lorenz96Settings(size=case.size))
        if case.size not in self.climates:
            settings = ClimateSettings(duration=500 if case.size <= 400 else 50, lyapunov_duration=1, lyapunov_count=1)
            settings = settings.model_copy(update={"covariance": "full" if case.size <= 400 else "by_distance"})
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
        model, climatology_file, twin = self.twin(case, realization)
        theirs = self.peers(case, model, twin, realization)
        problem, settings = pose(twin.observations, model, climatology_file), METHODS[case.method](**case.settings)
        start = time.process_time()
        for _ in range(REPEATS):
            scores = experiment(problem, twin.truth["state"].values, settings, np.random.default_rng([2, realization]))
        ours = (time.process_time() - start) / REPEATS
        cycles = self.cycles(case)
        return {
            "ours": ours / cycles,
            "as_run": theirs["as_run"] / cycles,
            "bare": (theirs["bare"] or np.nan) / cycles,
            "rmse": scores.rmse,
            "peer_rmse": theirs["rmse"],
            "sweep": self.sweep(case, realization) if case.swept else np.nan,
        }

    def peers(self, case: Case, model: Lorenz96, twin: Twin, realization: int, only_bare: bool = False) -> dict:
        """What DAPPER needs and reaches."""
        file = self.folder / "twin.npz"
        np.savez(file, truth=twin.truth["state"].values, observations=twin.observations["value"].values[1:])
        request = {"file": str(file), "time_step": model.time_step, "burn_in": self.burn_in(case)}
        request |= {"seed": realization + 1, "only_bare": only_bare}
        return self.peer.ask(**request, method=case.peer, settings=case.peer_settings)

    def sweep(self, case: Case, realization: int) -> float:
        """Wall seconds of a cycle of one experiment, in a sweep over realizations and inflations (or certainties)."""
        twins = [self.twin(case, realization + r) for r in range(SWEEP // INFLATIONS)]
        model, climatology_file, _ = twins[0]
        name = "certainty" if case.method == "enkf-n" else "inflation"
        over = {name: [round(1 + 0.01 * k, 2) for k in range(1, INFLATIONS + 1)]}
        settings = METHODS[case.method](**case.settings)
        start = time.perf_counter()
        sweep([twin for *_, twin in twins], model, settings, over, climatology_file, self.options.workers)
        return (time.perf_counter() - start) / SWEEP / self.cycles(case)


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options, Path(folder))
        results: dict[str, list[dict[str, float]]] = {name: [] for name in options.cases}
        for name in options.cases:  # compile, on both sides, before anything is measured
            bench.round(CASES[name]._replace(cycles=40 / options.cycles), 0)
        for realization in range(options.rounds):
            for name in options.cases:
                results[name].append(bench.round(CASES[name], realization))
                tell(f"round {realization + 1}: {name}")
        costs = {"sites": against_sites(bench, options.sites), "members": against_members(bench, options.members)}
        bench.peer.close()
    document = {"machine": machine(), "workers": options.workers, "cases": results, "costs": costs}
    report(document, options.output)
    if options.publish:
        publish(options.output, ROOT / "docs")
    sys.exit(any(disagree(rounds) for rounds in results.values()))


def against_sites(bench: Bench, sizes: list[int]) -> list[dict[str, float]]:
    """Seconds of a cycle of the LETKF with 20 members, against the number of sites."""
    base = CASES["LETKF, N=20, 400 sites"]
    return [cost(bench, base._replace(size=n), round(4e5 / n) + 4, n <= LARGEST_PEER, "sites", n) for n in sizes]


def against_members(bench: Bench, numbers: list[int]) -> list[dict[str, float]]:
    """Seconds of a cycle at 40 sites, against the number of members."""
    rows = []
    for name in ("ETKF, N=28", "LETKF, N=7"):
        base = CASES[name]
        for N in numbers:
            case = base._replace(settings=base.settings | {"members": N}, peer_settings=base.peer_settings | {"N": N})
            rows.append(cost(bench, case, 1000, True, "members", N) | {"method": base.method})
    return rows


def cost(bench: Bench, case: Case, cycles: int, with_peer: bool, name: str, value: int) -> dict[str, float]:
    """Seconds of a cycle on both sides, without what a run costs once; the least of REPEATS."""
    seconds = []
    for length in (cycles // 2, cycles):
        case = case._replace(cycles=length / bench.options.cycles)
        model, climatology_file, twin = bench.twin(case, 0)
        problem, settings = pose(twin.observations, model, climatology_file), METHODS[case.method](**case.settings)
        seconds.append(min(timed(problem, twin, settings) for _ in range(REPEATS)))
    row = {name: value, "ours": (seconds[1] - seconds[0]) / (cycles - cycles // 2)}
    if with_peer:
        case = case._replace(cycles=max(2, min(60, 2000 // case.size)) / bench.options.cycles)
        model, climatology_file, twin = bench.twin(case, 0)
        row["bare"] = bench.peers(case, model, twin, 0, only_bare=True)["bare"] / bench.cycles(case)
    tell(f"{case.method}, {value} {name}")
    return row


def timed(problem: Problem, twin: Twin, settings: AnalysisSettings) -> float:
    """Seconds of processor time of one run."""
    start = time.process_time()
    experiment(problem, twin.truth["state"].values, settings, np.random.default_rng(3))
    return time.process_time() - start


def tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
