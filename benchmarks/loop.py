"""How long a loop takes from the observations to its final model and analysis.

    python benchmarks/loop.py [STUDY.yaml] [--scenario NAME] [--loop NAME] [--cores N]

In a fresh copy of the workflow the observations and the climatology are made first, untimed; then the loop runs twice,
Snakemake and all: once compiling its kernels, once more with the kernels cached.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from default_study import copy_without_kernels

from assimilearn.study.plan import Plan
from assimilearn.study.scenarios import load


def make(folder: Path, study: str, cores: int, targets: list[str]) -> tuple[float, float]:
    """Make the targets; wall and processor time in seconds."""
    before, start = os.times(), time.perf_counter()
    command = [sys.executable, "-m", "snakemake", *targets, "--cores", str(cores), "--configfile", study]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, os.times()
    return wall, after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="?", default="config/studies/brajard2020.yaml")
    parser.add_argument("--scenario", help="the first by default")
    parser.add_argument("--loop", default="windows")
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    study = str(Path(arguments.study).resolve())
    plan = Plan(load(study))
    scenario = plan.scenarios[arguments.scenario or next(iter(plan.scenarios))]
    if arguments.loop not in scenario.settings.loops:
        parser.error(f"no loop is called {arguments.loop}; there are {', '.join(scenario.settings.loops) or 'none'}")
    observations, results = [scenario.observations, scenario.climate], scenario.analysis(arguments.loop)
    print(f"| {scenario.root}, {arguments.loop}, {arguments.cores} cores | wall (s) | CPU (s) |")
    print("|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        copy_without_kernels(folder)
        make(folder, study, arguments.cores, observations)
        for name in ("compiling", "kernels cached"):
            wall, total = make(folder, study, arguments.cores, [results])
            print(f"| {name} | {wall:.0f} | {total:.0f} |", flush=True)
            for part in ("analyses", "emulators", "loops"):
                shutil.rmtree(folder / scenario.root / part)


if __name__ == "__main__":
    main()
