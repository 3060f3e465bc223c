"""Print a Python that DAPPER can be installed with, 3.12 or newer: on the path, or among the versions of pyenv.

    python benchmarks/find_python.py [PYTHON]

A Python that is given is the only one tried.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

OLDEST, NEWEST = 12, 14
QUESTION = "import sys, ensurepip; print(sys.version_info >= (3, 12))"


def candidates() -> Iterator[str]:
    """Names and paths that may be such a Python, the oldest version first."""
    minors = range(OLDEST, NEWEST + 1)
    yield from (f"python3.{minor}" for minor in minors)
    yield from ("python3", "python")
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for minor in minors:
        yield from map(str, sorted(root.glob(f"versions/3.{minor}.*/bin/python")))


def usable(python: str) -> bool:
    """Whether it runs, is new enough, and can make environments; a shim of pyenv may exist and not run."""
    try:
        done = subprocess.run([python, "-c", QUESTION], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip() == "True"


def main() -> None:
    given = sys.argv[1:2] if sys.argv[1:2] != [""] else []
    tried = given or list(candidates())
    found = next((python for python in tried if usable(python)), None)
    if found is None:
        sys.exit(
            "DAPPER needs Python 3.12 or newer, with venv, and none was found. Tried: " + ", ".join(tried) + ".\n"
            "Install one (pyenv install 3.12), or name it: make benchmark-assimilation PEER_PYTHON=/path/to/python3.12"
        )
    print(found)


if __name__ == "__main__":
    main()
