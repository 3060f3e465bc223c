"""Keep compiled kernels in step with their sources.

numba caches each kernel on disk beside its source and checks that one file only: a kernel that inlines another one
would go on with the old code of the other. So the cached kernels of the package are dropped when any source with
kernels has changed.
"""

import hashlib
from pathlib import Path

ROOT = Path(__file__).parent
RECORD = "kernels.sha256"


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
