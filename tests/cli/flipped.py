"""Run as a program: flip bits of files, and tell what becomes of each of them.

For each file ``KIND.nc`` of a folder: bits are drawn from a seed, each is flipped alone, and a process of its own opens
the file as its kind, and steps an emulator. One line is printed for whatever ends such a process besides the errors
that a user can mend, and besides the alarm after which one is stopped.
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np

from assimilearn import store
from assimilearn.cli.forecasters import read_forecaster
from assimilearn.cli.inputs import read_observations
from assimilearn.errors import AssimilearnError

NUMBER = 300
READ, REFUSED, UNNAMED, RAISED = range(4)
LONG = 10  # seconds: for some broken headers HDF5 itself searches without end


def use(kind, path):
    """What every verb does with a file of the kind."""
    if kind == "emulators":
        model = read_forecaster(path).model
        if model.size < 100:  # a local emulator may be of any size
            with np.errstate(all="ignore"):
                model.step(np.ones((2, model.size)))
    elif kind == "observations":
        read_observations(path)
    else:
        store.read(path, kind)


def main(folder, kinds):
    for kind in kinds:
        content, rng = (folder / f"{kind}.nc").read_bytes(), np.random.default_rng(0)
        refused = hung = 0
        half = [*rng.integers(min(4096, len(content)), size=NUMBER // 2), *rng.integers(len(content), size=NUMBER // 2)]
        for place in half:  # the first bytes say where everything stands
            changed = bytearray(content)
            changed[place] ^= 1 << int(rng.integers(8))
            path = folder / f"{kind}-{place}.nc"  # the library may keep a broken file open
            path.write_bytes(changed)
            print("now", kind, place, file=sys.stderr, flush=True)
            status = in_child(kind, path)
            refused, hung = refused + (status == REFUSED), hung + (status == -signal.SIGALRM)
            if status not in (READ, REFUSED, -signal.SIGALRM):
                print(f"{kind}, byte {place}: the process ended with {status}")
        print(f"{kind}: {refused} of {NUMBER} refused, {hung} without end in the library")


def in_child(kind, path):
    """Status of a process that uses the file: READ, REFUSED, that of an error, or minus the signal that ended it."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    signal.alarm(LONG)
    try:
        use(kind, path)
    except AssimilearnError as error:
        os._exit(REFUSED if str(path) in str(error) else UNNAMED)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(RAISED)
    os._exit(READ)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
