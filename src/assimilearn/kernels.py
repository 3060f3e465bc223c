"""Compiled kernels give the same bytes in every process, and never outlive their sources.

numba links the kernels that a kernel calls into its object code, optimises them there once more, and leaves these
copies visible under their own names. Of several definitions of a name the loader keeps the first that it meets, in
whatever object that is. So a call went to the callee's own object where that had been compiled in the same process,
and to a copy, which may sum in another order, where kernels were loaded from disk: the first run of a study differed
from all later ones by round-off, which a chaotic system lets grow. Here the copies are private to the object that they
are in. And numba compiles what stands behind an operator, such as ``x**2``, once a process, with the fast-math flags of
the kernel that comes first; here, once for each set of flags (:func:`compile_alike`).

A kernel is also called by pointer, which the loader finds by name, and it takes any name of any object, private ones
too: of the last object loaded. So the copies have names of their own (:data:`COPY`). Else the step of a model would be
another one, by round-off, after a kernel that calls it has been loaded.

numba caches each kernel on disk beside its source and checks that one file only: a kernel that inlines another one
would go on with the old code of the other. So a cached kernel, of the package or of a user's own, serves only as long
as all sources of the package with kernels are as they were when it was compiled.
"""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent
RECORD = "kernels.sha256"
COPY = ".copy"
"""Ends the name of a kernel's copy in the object code of another one."""
FAST = {"reassoc", "contract", "nsz", "arcp"}
"""Every fast-math flag but those that would let the compiler ignore NaN: a divergence must stay visible."""


def drop_stale_kernels(root: Path = ROOT) -> str:
    """Remove the cached kernels below ``root`` if the sources differ from those they were compiled from.

    Sources are read again only where the size or the time of change of any file has changed.

    Returns
    -------
    str : digest of the sources with kernels.
    """
    record, stamp = root / "__pycache__" / RECORD, stamp_of(root)
    try:
        digest, known = record.read_text().split()
    except (OSError, ValueError):
        digest, known = "", ""
    if known == stamp:
        return digest
    current = digest_of(root)
    try:
        if current != digest:
            for cached in root.rglob("__pycache__/*.nb[ic]"):
                cached.unlink(missing_ok=True)
        record.parent.mkdir(exist_ok=True)
        written = record.with_name(f"{RECORD}.{os.getpid()}")
        written.write_text(f"{current} {stamp}")
        written.replace(record)
    except OSError:
        pass  # a read-only installation: its old kernels do not serve any more, but stay where they are
    return current


def stamp_of(root: Path) -> str:
    """Digest of the names, sizes and times of change of all Python files below ``root``."""
    stamps, folders = [], [str(root)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.name.endswith(".py"):
                    status = entry.stat()
                    stamps.append(f"{entry.path} {status.st_size} {status.st_mtime_ns}")
                elif entry.name != "__pycache__" and entry.is_dir():
                    folders.append(entry.path)
    return hashlib.sha256("\n".join(sorted(stamps)).encode()).hexdigest()


def digest_of(root: Path) -> str:
    """Digest of the sources with kernels below ``root``."""
    total = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        content = path.read_bytes()
        if b"njit" in content:
            total.update(path.name.encode() + content)
    return total.hexdigest()


@cache
def compile_alike() -> None:
    """From now on a kernel becomes the same machine code whatever was compiled or loaded before it.

    It must be called before the first kernel is compiled or loaded: ``assimilearn.assimilation``,
    ``assimilearn.emulators`` and every file with kernels on the floors below them do so when they are imported.
    """
    sources = drop_stale_kernels()
    from llvmlite.binding import Linkage, parse_bitcode
    from numba.core.codegen import CPUCodegen, JITCodeLibrary, JITCPUCodegen
    from numba.core.cpu import CPUContext

    class PrivateCallees(JITCodeLibrary):
        """Object code of one kernel, in which the copies of other kernels have internal linkage."""

        def _finalize_final_module(self) -> None:
            if self._shared_module is None:  # compiled here, not loaded from disk
                # also what other kernels are linked with is read as from disk: the order of uses, which is not kept
                # there, decides what the optimiser looks at first
                self._shared_module = parse_bitcode(self._final_module.as_bitcode())
                for function in self._shared_module.functions:
                    if not function.is_declaration and function.linkage == Linkage.external:
                        function.linkage = "linkonce_odr"
                for function in self._final_module.functions:
                    if not function.is_declaration and function.linkage == Linkage.linkonce_odr:
                        function.linkage = "internal"
                        function.name += COPY
            super()._finalize_final_module()

    JITCPUCodegen._library_class = PrivateCallees
    key = JITCPUCodegen.magic_tuple

    def with_sources(self: CPUCodegen) -> tuple[Any, ...]:
        """What a cached kernel must have been compiled for: processor, and the sources as they are."""
        return (*key(self), sources)

    JITCPUCodegen.magic_tuple = with_sources  # type: ignore[method-assign]
    subtarget: Callable[..., Any] = CPUContext.subtarget
    subroutines: dict[frozenset[str], dict[Any, Any]] = defaultdict(dict)

    def with_own_subroutines(self: CPUContext, **options: Any) -> Any:
        """A context for kernels of these options; those with the same fast-math flags share subroutines."""
        context = subtarget(self, **options)
        context.cached_internal_func = subroutines[frozenset(context.fastmath.flags if context.fastmath else ())]
        return context

    CPUContext.subtarget = with_own_subroutines  # type: ignore[assignment,method-assign]
