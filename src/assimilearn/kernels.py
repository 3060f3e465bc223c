"""Compiled kernels give the same bytes in every process, and never outlive their sources.

numba links the kernels that a kernel calls into its object code, optimises them there once more, and leaves these
copies visible under their own names. Of several definitions of a name the loader keeps the first that it meets, in
whatever object that is. So a call went to the callee's own object where that had been compiled in the same process,
and to a copy, which may sum in another order, where kernels were loaded from disk: the first run of a study differed
from all later ones by round-off, which a chaotic system lets grow. Here the copies are private to the object that they
are in. And numba compiles what stands behind an operator, such as ``x**2``, once a process, with the fast-math flags of
the kernel that comes first; here, once for each set of flags (:func:`compile_alike`).

numba caches each kernel on disk beside its source and checks that one file only: a kernel that inlines another one
would go on with the old code of the other. So the cached kernels of the package are dropped when any source with
kernels has changed.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent
RECORD = "kernels.sha256"
FAST = {"reassoc", "contract", "nsz", "arcp"}
"""Every fast-math flag but those that would let the compiler ignore NaN: a divergence must stay visible."""


def drop_stale_kernels(root: Path = ROOT) -> bool:
    """Remove the cached kernels below ``root`` if the sources differ from those they were compiled from.

    Returns
    -------
    bool : whether anything was stale.
    """
    total = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        content = path.read_bytes()
        if b"njit" in content:
            total.update(path.name.encode() + content)
    record = root / "__pycache__" / RECORD
    try:
        if record.read_text() == total.hexdigest():
            return False
    except OSError:
        pass
    try:
        for cached in root.rglob("__pycache__/*.nb[ic]"):
            cached.unlink(missing_ok=True)
        record.parent.mkdir(exist_ok=True)
        record.write_text(total.hexdigest())
    except PermissionError:
        return True  # a read-only installation was compiled by whoever may write there
    return True


@cache
def compile_alike() -> None:
    """From now on a kernel becomes the same machine code whatever was compiled or loaded before it.

    It must be called before the first kernel is compiled or loaded: ``assimilearn.assimilation``,
    ``assimilearn.emulators`` and every file with kernels on the floors below them do so when they are imported.
    """
    from llvmlite.binding import Linkage, parse_bitcode
    from numba.core.codegen import JITCodeLibrary, JITCPUCodegen
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
            super()._finalize_final_module()

    JITCPUCodegen._library_class = PrivateCallees
    subtarget: Callable[..., Any] = CPUContext.subtarget
    subroutines: dict[frozenset[str], dict[Any, Any]] = defaultdict(dict)

    def with_own_subroutines(self: CPUContext, **options: Any) -> Any:
        """A context for kernels of these options; those with the same fast-math flags share subroutines."""
        context = subtarget(self, **options)
        context.cached_internal_func = subroutines[frozenset(context.fastmath.flags if context.fastmath else ())]
        return context

    CPUContext.subtarget = with_own_subroutines  # type: ignore[assignment,method-assign]
