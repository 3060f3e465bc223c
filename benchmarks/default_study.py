"""How long the default study takes, and how much of its processor time is orchestration.

    python benchmarks/default_study.py [STUDY.yaml] [--cores N]

Runs the study twice in a fresh copy of the workflow: once from nothing, compiling every kernel, and once more with
the kernels cached but no results. Orchestration is everything outside the verbs: Snakemake itself, its
shells, the report.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("Snakefile", "config", "workflow", "profiles", "src", "environment.yml")
COST = re.compile(r"assimilearn: ([0-9.]+) s of processor time")


def copy_without_kernels(folder: Path) -> None:
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / part)


def run(folder: Path, study: str, cores: int) -> tuple[float, float, float]:
    """Wall time, processor time in all, and processor time of the verbs, of one run from no results."""
    shutil.rmtree(folder / "results", ignore_errors=True)
    before, start = os.times(), time.perf_counter()
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--configfile", study]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, os.times()
    total = after.children_user + after.children_system - before.children_user - before.children_system
    logs = [path.read_text() for path in (folder / "results").rglob("*.log")]
    return wall, total, sum(float(cost) for log in logs for cost in COST.findall(log))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="?", default="config/config.yaml")
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    print(f"| {arguments.study} on {arguments.cores} cores | wall (s) | CPU (s) | in verbs (s) | orchestration |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        copy_without_kernels(folder)
        for name in ("first run, compiling", "kernels cached"):
            wall, total, verbs = run(folder, arguments.study, arguments.cores)
            print(f"| {name} | {wall:.0f} | {total:.0f} | {verbs:.0f} | {1 - verbs / total:.0%} |", flush=True)


if __name__ == "__main__":
    main()
