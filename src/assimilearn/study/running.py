"""One run of a study at a time in a folder: two would write the same files, each under the hands of the other."""

import fcntl
import os
from pathlib import Path

from assimilearn.errors import AssimilearnError

LOCK = ".running"
held: list[int] = []


def one_at_a_time(folder: str | Path) -> None:
    """Say that this process runs the study of ``folder``; the claim ends with the process, also when it is killed.

    Parameters
    ----------
    folder : path
        Of the results of one study.

    Raises
    ------
    AssimilearnError
        If another process runs it.
    """
    path = Path(folder) / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)  # open for as long as this process lives
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(file)
        raise AssimilearnError(
            f"{folder}: another run of this study is at work in this folder: wait for its end, or give this one "
            "another name (--config study=NAME)"
        ) from error
    except OSError:  # a file system that knows no locks
        os.close(file)
        return
    held.append(file)
