"""What the first run ever of each method costs, and the second one: kernels are compiled once and kept on disk.

    .venv/bin/python benchmarks/compile_times.py [METHOD ...]

Each method runs twice in a process of its own, with an empty folder of compiled kernels (NUMBA_CACHE_DIR) for the
first. Prints a Markdown table of seconds of processor time, start of Python and imports included.
"""

import os
import subprocess
import sys
import tempfile
import time

RUN = """
import sys
import numpy as np
from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.twin import TwinSettings, simulate_twin
from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.models.truth import TruthSettings
from assimilearn.observations.networks import AllSites
from assimilearn.observations.observe import ObservationSettings

model = Lorenz96(Lorenz96Settings(size=20))
reference = climate(model, ClimateSettings(duration=60, lyapunov_duration=1), np.random.default_rng(0))
rngs = np.random.default_rng(1).spawn(3)
seen = ObservationSettings(network=AllSites())
twin = simulate_twin(model, TwinSettings(steps=20, burn_in=1), TruthSettings(), seen, *rngs)
if sys.argv[1:]:
    assimilate(twin.observations, model, METHODS[sys.argv[1]](), reference, twin.rng)
"""


def seconds(method: list[str], folder: str) -> float:
    """Processor time of one process that runs a method, or without one the model alone."""
    environment = os.environ | {"NUMBA_CACHE_DIR": folder, "OMP_NUM_THREADS": "1"}
    before = os.times()
    subprocess.run([sys.executable, "-c", RUN, *method], env=environment, check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    from assimilearn.assimilation import METHODS

    print("| method | first run | second run | compiling |\n|---|---|---|---|")
    for name in ["", *(sys.argv[1:] or METHODS)]:
        with tempfile.TemporaryDirectory() as folder:
            first, second = (seconds([name] if name else [], folder) for _ in range(2))
        print(f"| {name or 'the model alone'} | {first:.1f} | {second:.1f} | {first - second:.1f} |", flush=True)


if __name__ == "__main__":
    start = time.perf_counter()
    main()
    print(f"\n{time.perf_counter() - start:.0f} s in all", file=sys.stderr)
