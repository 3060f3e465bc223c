"""What the first run ever of each method costs, and the second one: kernels are compiled once and kept on disk.

    .venv/bin/python benchmarks/compile_times.py [METHOD ...]

Each method runs twice in a process of its own, with an empty folder of compiled kernels (NUMBA_CACHE_DIR) for the
first. Prints a Markdown table of seconds by the clock, start of Python and imports included, and of processor time,
which is more where a second process compiles the cycle.
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


def seconds(method: list[str], folder: str) -> tuple[float, float]:
    """Time by the clock, and of the processor, of one process that runs a method, or without one the model alone."""
    environment = os.environ | {"NUMBA_CACHE_DIR": folder, "OMP_NUM_THREADS": "1"}
    before, start = os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-c", RUN, *method], env=environment, check=True)
    after, end = os.times(), time.perf_counter()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    return end - start, processor


def main() -> None:
    from assimilearn.assimilation import METHODS

    print("| method | first run | second run | compiling | its processor time |\n|---|---|---|---|---|")
    for name in ["", *(sys.argv[1:] or METHODS)]:
        with tempfile.TemporaryDirectory() as folder:
            first, second = (seconds([name] if name else [], folder) for _ in range(2))
        times = first[0], second[0], first[0] - second[0], first[1] - second[1]
        print(f"| {name or 'the model alone'} | " + " | ".join(f"{t:.1f}" for t in times) + " |", flush=True)


if __name__ == "__main__":
    start = time.perf_counter()
    main()
    print(f"\n{time.perf_counter() - start:.0f} s in all", file=sys.stderr)
