"""A copy of the workflow in a folder of its own, and a way to run it as a user does."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from assimilearn import store

ROOT = Path(__file__).parents[2]
PARTS = ["Snakefile", "config", "workflow", "profiles", "src", "environment.yml"]

TINY = {
    "study": "tiny",
    "seed": 1,
    "models": {"lorenz96": {"method": "lorenz96", "size": 12}},
    "climate": {"duration": 100, "lyapunov_duration": 10},
    "periods": {"spinup": 20, "train": 200, "gap": 10, "validation": 60, "test": 120},
    "observations": {"network": {"method": "moving_random", "count": 6}},
    "analyses": {
        "interpolation": {"method": "interpolation"},
        "etkf": {"method": "etkf", "members": 10, "inflation": 1.05, "keep_members": "test"},
        "etkf-ridge": {"method": "etkf", "model": "ridge", "members": 10, "model_error": "residual"},
    },
    "emulators": {
        "persistence": {"method": "persistence", "trained_on": "etkf"},
        "ridge": {
            "method": "ridge",
            "trained_on": "etkf",
            "tune": {"folds": 3, "gap": 5, "grid": {"alpha": [0.1, 10.0]}},
        },
    },
    "forecasts": {"starts": 10, "free_run": 60},
    "figures": ["hovmoller", "cross_validation"],
}


@dataclass(frozen=True)
class Project:
    """A copy of the workflow; ``results`` belong to it."""

    folder: Path

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", "--configfile", "study.yaml", *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """Without the path of the installed package: the workflow must find its own."""
        return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def configure(self, study: dict) -> None:
        (self.folder / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))

    def snakemake(self, *arguments: str, status: int = 0) -> str:
        """Run Snakemake; the text that it printed."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=1200,  # against a run that hangs; a busy machine is slow
            check=False,
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    def planned(self) -> set[str]:
        """Files that a run would make now, relative to the results of the study; PDF for a figure."""
        text = self.snakemake("--dry-run", "--cores", "1")
        made = re.findall(r"^    output: (.*)$", text, flags=re.MULTILINE)
        return {line.split(",")[0].split("/", 2)[2] for line in made}

    def digests(self) -> dict[str, str]:
        """Digest of every NetCDF file and of the scorecard."""
        results = self.folder / "results"
        files = [*results.rglob("*.nc"), *results.rglob("scorecard.csv")]
        return {str(path.relative_to(results)): store.digest(path) for path in files}


def copy_project(folder: Path) -> Project:
    """A copy of everything that the workflow consists of."""
    folder.mkdir(parents=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("*.pyc", "*.egg-info"))
        else:
            shutil.copy2(source, folder / part)
    return Project(folder)
