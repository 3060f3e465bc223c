"""Compile two things at once: the first run ever of a method waits for its update, and for all that is around it.

numba compiles one kernel at a time in each process and keeps it on disk. So another process compiles the cycle and the
small kernels that most filters share, while this one compiles the update, and then finds them there.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from numba import njit

from assimilearn.assimilation.cycling.cycle import compiled_cycle, cycle, ensemble_moments
from assimilearn.assimilation.cycling.inflation import inflate
from assimilearn.assimilation.cycling.model_error import add_noise
from assimilearn.assimilation.cycling.signatures import ERROR, INFLATE, MOMENTS, OBSERVE, WHITEN
from assimilearn.models.signatures import by_pointer
from assimilearn.observations.correlation_kernels import leave
from assimilearn.observations.operator_kernels import observe_rows

COMMAND = "from assimilearn.assimilation.cycling.compiling import compile_all_but_the_update as f; f()"


@contextmanager
def compiling_all_but_the_update() -> Iterator[subprocess.Popen | None]:
    """Inside, another process compiles the rest of a run, if none is on disk yet and there is a core for it.

    Whether it succeeds does not matter: what is not on disk afterwards is compiled as ever.

    Yields
    ------
    Popen or None : that process, if there is one.
    """
    in_memory = compiled_cycle.cache_info().currsize > 0
    if in_memory or on_disk() or cores() < 2:
        yield None
        return
    quiet = subprocess.DEVNULL
    command, environment = [sys.executable, "-c", COMMAND], os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=environment, stdin=quiet, stdout=quiet, stderr=quiet) as compiler:
        yield compiler


def compile_all_but_the_update() -> None:
    """The cycle, and the kernels of runs with the plain choices for everything but the method."""
    compiled_cycle()
    plain = (
        (ensemble_moments, MOMENTS),
        (inflate, INFLATE),
        (observe_rows, OBSERVE),
        (leave, WHITEN),
        (add_noise, ERROR),
    )
    for kernel, kind in plain:
        by_pointer(kernel, kind)


def on_disk() -> bool:
    """Whether a compiled cycle is kept, perhaps of another processor or an older source."""
    folder = njit(cache=True)(cycle).stats.cache_path
    return folder is not None and any(Path(folder).glob("cycle.cycle-*.nbi"))


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
