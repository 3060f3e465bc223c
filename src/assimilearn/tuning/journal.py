"""The journal of a search: one line for each part of a trial that is finished, so that a killed search goes on.

A search asks for the same trials in the same order every time, so what was finished is looked up instead of computed
again, and the result is that of a search that was not disturbed. One process writes. When the search is done the
journal becomes the log of its trials, with the time that each took, which does not belong into a file of results.
"""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from assimilearn import store
from assimilearn.errors import FileError
from assimilearn.tuning.objective import Attempt
from assimilearn.tuning.space import Values

log = logging.getLogger(__name__)


def trials_log(output: Path) -> Path:
    """The log of the trials whose result is ``output``."""
    return output.with_suffix(".trials.jsonl")


def journal_of(output: Path) -> Path:
    """The journal of a search that has not written its ``output`` yet."""
    return output.with_name(f".{output.stem}.journal.jsonl")


class Journal:
    """Finished parts of trials.

    Parameters
    ----------
    file : open for appending; None keeps nothing
    known : those of an earlier run
    """

    def __init__(self, file: IO[str] | None = None, known: dict[str, Attempt] | None = None):
        self.file, self.known = file, known or {}

    @staticmethod
    def key(values: Values, trial: int, part: int, budget: int) -> str:
        """One text for one part of a trial."""
        return json.dumps([trial, part, budget, values], sort_keys=True)

    def find(self, *call: Any) -> Attempt | None:
        """What became of a part in an earlier run."""
        return self.known.get(self.key(*call))

    def add(self, attempt: Attempt, *call: Any) -> None:
        """Write what became of a part."""
        if self.file is not None:
            self.file.write(_line(self.key(*call), attempt))
            self.file.flush()


def identity(settings: str, seed: int, realization: int, inputs: Mapping[str, Path | None], code: str) -> str:
    """A text that is equal for equal searches only: of settings, random numbers, content of all inputs, and code."""
    digests = {role: store.digest(path) for role, path in inputs.items() if path is not None}
    return json.dumps([settings, seed, realization, digests, code], sort_keys=True)


@contextmanager
def journal(output: Path, identity: str) -> Iterator[Journal]:
    """The journal beside ``output``; it becomes the log of the trials when the block ends well.

    Parameters
    ----------
    output : path of the result
    identity : text that is equal for equal searches only; a journal of another search is begun anew

    Raises
    ------
    FileError
        If it cannot be written.
    """
    path = journal_of(output)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        known = _read(path, identity)
        file = open(path, "w", encoding="utf-8")  # noqa: SIM115  it is closed below
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror}") from error
    with file:
        file.write(json.dumps({"search": identity}) + "\n")
        file.writelines(_line(key, attempt) for key, attempt in known.items())
        file.flush()
        if known:
            log.info("%s: going on after %d finished parts of trials", output, len(known))
        yield Journal(file, known)
    os.replace(path, trials_log(output))


def _line(key: str, attempt: Attempt) -> str:
    return json.dumps({"key": key, **attempt._asdict()}) + "\n"


def _read(path: Path, identity: str) -> dict[str, Attempt]:
    """Finished parts of the same search; a last line that was cut off by a kill is left out."""
    if not path.is_file():
        return {}
    known: dict[str, Attempt] = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file):
            try:
                entry = json.loads(line)
            except ValueError:
                break
            if number == 0:
                if entry.get("search") != identity:
                    return {}
                continue
            key = entry.pop("key")
            known[key] = Attempt(**entry)
    return known
