"""What the LETKF costs in two dimensions: time a site from 64 x 64 to 512 x 512, two layers, and memory of a long run.

    python benchmarks/planes.py [--figure docs/planes.png] [--members N] [--repeats K]

Random fields of two layers on periodic planes, every second point of both observed along each axis. First the update
alone, the least processor time of some repeats. Then whole runs of the two-layer flow on the largest plane, from file
to file, in processes of their own: their peak memory must not grow with the number of analyses.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import xarray as xr

from assimilearn import store
from assimilearn.assimilation.cycling.streaming import assimilate_to_file
from assimilearn.assimilation.local.domain import encoded
from assimilearn.assimilation.methods.letkf import LETKFSettings, letkf_update
from assimilearn.models import build
from assimilearn.models.geometry import Geometry, grid
from assimilearn.models.two_layer_qg import TwoLayerQGSettings
from assimilearn.observations.networks import EverySite, observed_places
from assimilearn.observations.observe import ObservationSettings, observe
from assimilearn.periods import TEST, with_periods

SIZES = (64, 128, 256, 512)
RADIUS = 2.0  # grid points: the taper ends at 7.3
RUNS = (3, 9)  # analyses of a short and of a long run


def plane(points: int) -> Geometry:
    """Two layers."""
    return grid({"psi_upper": (points, points), "psi_lower": (points, points)})


def seconds_a_site(points: int, members: int, repeats: int) -> float:
    """Processor time of one update over the number of sites."""
    geometry, rng = plane(points), np.random.default_rng(points)
    places = observed_places(EverySite(stride=2), geometry, np.zeros(1), rng)
    sites = places.sites[0].astype(np.int64)
    domain = encoded("gaspari_cohn", RADIUS, geometry.positions, geometry.periods)
    variance, spent = np.ones(sites.size), []
    for _ in range(repeats):
        E = rng.standard_normal((members, geometry.size))
        y, Y = rng.standard_normal(sites.size), np.ascontiguousarray(E[:, sites])
        start = time.process_time()
        letkf_update(E, Y, y, variance, sites, domain, np.empty(0))
        spent.append(time.process_time() - start)
    return min(spent) / geometry.size


def climatology(points: int) -> xr.Dataset:
    """Covariances that fall with the distance, and that of the layers half as large."""
    geometry = plane(points)
    apart = geometry.between(np.zeros(points**2, dtype=int), np.arange(points**2))
    at = np.exp(-0.5 * (apart / 6.0) ** 2)
    offsets = np.array([[at, 0.5 * at], [0.5 * at, at]])
    return xr.Dataset(
        {
            "mean": ("site", np.zeros(geometry.size)),
            "covariance_at_offset": (("one_field", "other_field", "offset"), offsets),
        },
        attrs={"size": geometry.size, **geometry.attributes},
    )


def run(points: int, members: int, analyses: int) -> None:
    """A run of the filter from file to file; prints seconds and the peak memory of the process in MB."""
    model = build(TwoLayerQGSettings(points=points, length=40.0 * points / 64))
    geometry, rng = plane(points), np.random.default_rng(0)
    times = model.time_step * np.arange(analyses)
    state = model.start(rng) * 100
    states = []
    for _ in times:
        states.append(state)
        state = model.step(state)
    truth = xr.Dataset(
        {"state": (("time", "site"), np.array(states))},
        {"time": times},
        {"size": model.size, "time_step": model.time_step, **geometry.attributes},
    )
    truth = with_periods(truth, np.full(times.size, TEST))
    observations = observe(truth, ObservationSettings(network=EverySite(stride=2)), rng)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "observations.nc"
        origin = {"study": "planes", "scenario": "base", "node": "observations", "kind": "observations"}
        store.write(observations, path, **origin)
        del truth, observations, states
        settings = LETKFSettings(members=members, inflation=1.04, localization_radius=RADIUS)
        with store.opened(path, "observations") as stored:
            start = time.process_time()
            assimilate_to_file(
                stored, model, settings, climatology(points), rng, Path(folder) / "analysis.nc", **origin
            )
    print(time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def measured_run(points: int, members: int, analyses: int) -> tuple[float, float]:
    """Seconds and peak memory in MB of :func:`run` in a process of its own."""
    command = [sys.executable, __file__, "--run", str(points), str(analyses), "--members", str(members)]
    seconds, memory = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(seconds), float(memory)


def draw(path: Path, sizes: np.ndarray, microseconds: np.ndarray, members: int) -> None:
    """Time a site against the number of sites."""
    from assimilearn.figures.style import BLUE, CENTIMETRE, GREY, ONE_COLUMN, new_figure, style

    with style():
        figure = new_figure(ONE_COLUMN, 6 * CENTIMETRE)
        axes = figure.subplots()
        axes.axhspan(microseconds[0], 1.25 * microseconds[0], color=GREY, alpha=0.2, linewidth=0)
        axes.plot(2 * sizes**2, microseconds, "o-", color=BLUE)
        axes.set(xscale="log", xlim=(3e3, 1.5e6), ylim=(0, 1.6 * microseconds.max()))
        axes.set_title(f"LETKF, {members} members, planes of two layers")
        axes.set_xlabel("Sites (–)")
        axes.set_ylabel("Processor time a site (µs)")
        for x, y, size in zip(2 * sizes**2, microseconds, sizes, strict=True):
            axes.annotate(f"{size} x {size}", (x, y), (0, 5), textcoords="offset points", ha="center", fontsize=7)
        figure.savefig(path, dpi=200)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figure", type=Path, help="PNG file")
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--run", nargs=2, type=int, metavar=("POINTS", "ANALYSES"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        run(arguments.run[0], arguments.members, arguments.run[1])
        return
    seconds_a_site(16, arguments.members, 1)  # compiles
    found = np.array([seconds_a_site(points, arguments.members, arguments.repeats) for points in SIZES]) * 1e6
    print("| plane, two layers | sites | time a site (µs) | over 64 x 64 |\n|---|---|---|---|")
    for points, each in zip(SIZES, found, strict=True):
        print(f"| {points} x {points} | {2 * points**2:,} | {each:.2f} | {each / found[0]:.2f} |")
    if arguments.figure:
        draw(arguments.figure, np.array(SIZES), found, arguments.members)
    print(f"\n| {SIZES[-1]} x {SIZES[-1]} x 2, from file to file | CPU (s) | peak memory (MB) |\n|---|---|---|")
    memory = []
    for analyses in RUNS:
        seconds, peak = measured_run(SIZES[-1], arguments.members, analyses)
        memory.append(peak)
        print(f"| {analyses} analyses | {seconds:.0f} | {peak:.0f} |", flush=True)
    print(f"\nPeak memory of {RUNS[1]} analyses over that of {RUNS[0]}: {memory[1] / memory[0]:.2f}")


if __name__ == "__main__":
    main()
