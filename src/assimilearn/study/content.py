"""Digest of the content of files that users bring: what is made from them depends on it, not on their time stamps."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from assimilearn import store
from assimilearn.errors import FileError


@cache
def content_of(path: str | Path) -> str:
    """SHA-256 of a file's bytes, the first 16 hex digits; read once in a process.

    Raises
    ------
    FileError
        If the file cannot be read.
    """
    refuse_absent([path])
    try:
        return store.digest(path)
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror})") from error


def refuse_absent(paths: Iterable[str | Path]) -> None:
    """Raise FileError unless each of ``paths`` is a file."""
    absent = [str(path) for path in paths if not Path(path).is_file()]
    if absent:
        raise FileError("\n".join(f"{path}: no such file" for path in absent))
