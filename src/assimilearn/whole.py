"""Files that are whole or not there: written under a temporary name in their own folder, then renamed."""

import errno
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from assimilearn.errors import FileError

FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def whole(path: Path, size: int = 0) -> Iterator[Path]:
    """A temporary file that becomes ``path`` when the block ends well, and is removed otherwise.

    Parameters
    ----------
    path : path of the file; its folder is made if need be
    size : bytes that will be written at least

    Yields
    ------
    Path of the temporary file, which exists and is empty.

    Raises
    ------
    FileError
        If ``path`` is a folder or cannot be written, or no space is left.
    """
    refuse_unwritable(path)
    temporary = temporary_name(path)
    try:
        with _told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            remove_leftovers(path)
            temporary.touch()
        try:
            yield temporary
        except (OSError, RuntimeError) as error:
            temporary.unlink(missing_ok=True)
            if is_full(error, path.parent, size):
                raise FileError(no_space(path, size)) from error
            raise
        with _told(path):
            os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn an error of the file system into one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise FileError(no_space(path)) from error
        raise FileError(f"{path}: cannot be written: {reason(error)}") from error


def reason(error: BaseException) -> str:
    """What the system says of an error, without number and path."""
    return (error.strerror if isinstance(error, OSError) else None) or " ".join(str(error).split())


def refuse_unwritable(path: Path) -> None:
    """Stop before a long computation if its result could not be written.

    Raises
    ------
    FileError
        If ``path`` is a folder, or the first folder above it that exists is none or may not be written.
    """
    try:
        if path.is_dir():
            raise FileError(f"{path}: is a folder; name the file to be written")
        above = next(folder for folder in path.absolute().parents if folder.exists())
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {reason(error)}") from error
    if not above.is_dir():
        raise FileError(f"{path}: cannot be written: {above} is a file, not a folder")
    if not os.access(above, os.W_OK | os.X_OK):
        raise FileError(f"{path}: cannot be written: the folder {above} may not be written to")


def is_full(error: BaseException, folder: Path, size: int) -> bool:
    """Whether an error while writing came of a full disk; the NetCDF library says only that there was an error."""
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    of_files = isinstance(error, OSError) or str(error).startswith("NetCDF:")
    return of_files and shutil.disk_usage(folder).free < size


def no_space(path: Path, size: int = 0) -> str:
    """One sentence that says how much space there is, and how much is needed where that is known."""
    free = f"{shutil.disk_usage(path.parent).free / 1e6:.3g} MB are free"
    return f"{path}: no space left: {free}" + (f", {size / 1e6:.3g} MB are needed" if size else "")


def temporary_name(path: Path) -> Path:
    """A name in the folder of ``path`` that no other process uses and that says whose it is."""
    return path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.tmp")


def remove_leftovers(path: Path) -> None:
    """Remove temporary files for ``path`` whose process on this host has died."""
    for leftover in path.parent.glob(f".{path.name}.{socket.gethostname()}.*.tmp"):
        try:
            os.kill(int(leftover.name.split(".")[-2]), 0)
        except ProcessLookupError:
            leftover.unlink(missing_ok=True)
        except (ValueError, PermissionError):
            continue
