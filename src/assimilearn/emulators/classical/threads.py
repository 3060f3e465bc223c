"""Linear algebra on one thread: sums then do not depend on the number of cores."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from typing import Any


@cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()  # it looks through all loaded libraries, once


def one_thread_of_all() -> Callable[[], AbstractContextManager[Any]]:
    """What makes contexts in which all libraries loaded now have one thread, OpenMP too; to enter one costs 60 µs.

    ``threadpoolctl.threadpool_limits`` looks through all libraries each time, which takes 20 ms.
    """
    from threadpoolctl import ThreadpoolController

    controller = ThreadpoolController()
    return lambda: controller.limit(limits=1)


def one_thread() -> AbstractContextManager[Any]:
    """A context in which BLAS has one thread; to enter it costs microseconds."""
    limits: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limits
