"""Workers: the one place where searches and sweeps get the processors on which their experiments run.

``threads`` of this process serve compiled cycles, which release the interpreter; ``processes`` serve training; an
address of a Dask scheduler, or SLURM, serves many machines. Results come in the order of the calls whatever ran where,
so no result depends on the kind or the number of workers. Each worker computes with one thread: the number of workers
is the only budget, and linear algebra, numba, torch and ONNX Runtime inside them add none (:func:`one_thread`).

A worker that dies loses no result: the calls that were under way are made again, each alone, so that the one that
killed it is known.
"""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from multiprocessing import get_context
from typing import Annotated, Any, Literal, Protocol, TypeAlias

from pydantic import Discriminator, Field, Tag

from assimilearn.errors import AssimilearnError, SettingsError
from assimilearn.settings import Settings

AHEAD = 4  # calls handed out for each worker: enough to keep all busy, few enough to hold few of their arguments
PATIENCE = 20  # seconds until a scheduler must have answered
VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Read by linear algebra and torch when they are loaded."""

Call = tuple[Any, ...]


class DaskAddress(Settings):
    """A Dask scheduler that runs already."""

    dask: str = Field(pattern=r"^(tcp|tls)://.+:\d+$", description='its address, as "tcp://node7:8786"')


class SlurmJobs(Settings):
    """Jobs that workers run in."""

    jobs: int = Field(1, ge=1, description="number of jobs")
    cores: int = Field(1, ge=1, description="workers of one thread in each job")
    memory: str = Field("4GB", description='memory of each job, as "16GB"')
    walltime: str = Field("01:00:00", pattern=r"^(\d+-)?\d+:\d\d:\d\d$", description="time limit of each job")
    queue: str | None = Field(None, description="partition; by default that of the cluster")
    account: str | None = Field(None, description="account to charge")


class Slurm(Settings):
    """Dask workers in jobs of SLURM; needs the package dask-jobqueue."""

    slurm: SlurmJobs = Field(description="the jobs")


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "word"
    keys = value if isinstance(value, dict) else type(value).model_fields if isinstance(value, Settings) else ()
    return "slurm" if "slurm" in keys else "dask"


AnyWorkers: TypeAlias = Annotated[
    Annotated[Literal["threads", "processes"], Tag("word")]
    | Annotated[DaskAddress, Tag("dask")]
    | Annotated[Slurm, Tag("slurm")],
    Discriminator(_kind),
]
"""What stands for ``workers`` in a study."""


class WorkerDied(AssimilearnError):
    """A call that killed the worker that made it, as one that runs out of memory does."""


class Pool(Protocol):
    """Workers that all have one task.

    ``results(calls)`` yields ``task(*call)`` of each call in the order of the calls, which are read as they are needed.
    What the task raises is raised here. With ``died``, a call that kills its worker has the result ``died(reason)``
    instead of raising :class:`WorkerDied`.
    """

    def results(self, calls: Iterable[Call], died: Callable[[str], Any] | None = None) -> Iterator[Any]:
        """Results in the order of the calls."""
        ...


@contextmanager
def pool(kind: AnyWorkers, count: int, task: Callable[..., Any]) -> Iterator[Pool]:
    """Workers for ``task``, which is sent to each of them once.

    Parameters
    ----------
    kind : settings of the workers
    count : number of threads or processes; 1 works in this process. Schedulers have the workers that they have.
    task : callable, which must be one that can be sent to another process unless ``kind`` is "threads"

    Raises
    ------
    SettingsError
        If a scheduler cannot be reached, or the package that it needs is not installed.
    """
    with ExitStack() as stack:
        if isinstance(kind, DaskAddress | Slurm):
            client = stack.enter_context(_client(kind))
            yield _DaskPool(client, task)
            return
        stack.enter_context(one_thread())
        if count == 1:
            yield _Here(task)
        elif kind == "threads":
            executor = stack.enter_context(ThreadPoolExecutor(count, initializer=limit_threads))
            yield _Threads(executor, count, task)
        else:
            yield stack.enter_context(_Processes(count, task))


# ---- threads of computation inside a worker ------------------------------------------------------------------------


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for all computation in this process, and in what it loads meanwhile."""
    import numba  # noqa: F401  what is to be limited must be there
    import scipy.linalg.cython_blas  # noqa: F401  the library behind compiled products
    from threadpoolctl import threadpool_limits

    before = {name: os.environ.get(name) for name in VARIABLES}
    os.environ.update(dict.fromkeys(VARIABLES, "1"))
    torch_threads = sys.modules["torch"].get_num_threads() if "torch" in sys.modules else None
    limit_threads()
    try:
        with threadpool_limits(1):
            yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        if torch_threads is not None:
            sys.modules["torch"].set_num_threads(torch_threads)


def limit_threads() -> None:
    """One thread for numba and torch in this thread; ONNX Runtime is opened with one, torch when it is loaded later."""
    import numba

    numba.set_num_threads(1)
    torch: Any = sys.modules.get("torch")
    if hasattr(torch, "set_num_threads"):
        torch.set_num_threads(1)


def _start_process(task: Callable[..., Any]) -> None:
    """Make this process a worker."""
    import scipy.linalg.cython_blas  # noqa: F401
    from threadpoolctl import threadpool_limits

    global _task
    os.environ.update(dict.fromkeys(VARIABLES, "1"))
    threadpool_limits(1)
    limit_threads()
    _task = task


_task: Callable[..., Any]
"""Of this process, if it is a worker."""


def _run(*call: Any) -> Any:
    return _task(*call)


# ---- pools ---------------------------------------------------------------------------------------------------------


class _Here:
    """This process."""

    def __init__(self, task: Callable[..., Any]):
        self.task = task

    def results(self, calls: Iterable[Call], died: Callable[[str], Any] | None = None) -> Iterator[Any]:
        """One call after the other."""
        for call in calls:
            yield self.task(*call)


class _Threads:
    """Threads of this process."""

    def __init__(self, executor: Executor, count: int, task: Callable[..., Any]):
        self.executor, self.count, self.task = executor, count, task

    def results(self, calls: Iterable[Call], died: Callable[[str], Any] | None = None) -> Iterator[Any]:
        """Results in order, of which no more than a few for each thread are under way."""
        return _in_order(partial(self.executor.submit, self.task), calls, AHEAD * self.count, _raised)


def _raised(call: Call, error: BaseException) -> Any:
    raise error


def _in_order(
    submit: Callable[..., "Future[Any]"],
    calls: Iterable[Call],
    ahead: int,
    failed: Callable[[Call, BaseException], Any],
) -> Iterator[Any]:
    """Results in the order of the calls, no more than ``ahead`` of them under way."""
    pending: deque[tuple[Call, Future[Any]]] = deque()

    def first() -> Any:
        call, future = pending.popleft()
        try:
            return future.result()
        except BaseException as error:
            return failed(call, error)

    for call in calls:
        pending.append((call, submit(*call)))
        if len(pending) >= ahead:
            yield first()
    while pending:
        yield first()


class _Processes:
    """Processes of this machine, begun anew: no state of this one is theirs."""

    def __init__(self, count: int, task: Callable[..., Any]):
        self.count, self.task = count, task
        self.executor = self._new(count)
        self.alone: ProcessPoolExecutor | None = None  # where calls are made again that were under way at a death

    def _new(self, count: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            count, mp_context=get_context("spawn"), initializer=_start_process, initargs=(self.task,)
        )

    def __enter__(self) -> "_Processes":
        return self

    def __exit__(self, *error: object) -> None:
        for executor in filter(None, (self.executor, self.alone)):
            executor.shutdown(cancel_futures=True)

    def results(self, calls: Iterable[Call], died: Callable[[str], Any] | None = None) -> Iterator[Any]:
        """Results in order; after a death each call that was under way is made again, alone."""
        return _in_order(self._submit, calls, AHEAD * self.count, partial(self._failed, died=died))

    def _submit(self, *call: Any) -> "Future[Any]":
        try:
            return self.executor.submit(_run, *call)
        except BrokenProcessPool:
            self.executor.shutdown(cancel_futures=True)
            self.executor = self._new(self.count)
            return self.executor.submit(_run, *call)

    def _failed(self, call: Call, error: BaseException, died: Callable[[str], Any] | None) -> Any:
        if not isinstance(error, BrokenProcessPool):
            raise error
        self.alone = self.alone or self._new(1)
        try:
            return self.alone.submit(_run, *call).result()
        except BrokenProcessPool as again:
            self.alone = None
            reason = "the process that worked on it was killed: perhaps it ran out of memory"
            if died is None:
                raise WorkerDied(reason) from again
            return died(reason)


class _DaskPool:
    """Workers of a Dask scheduler, to each of which the task is sent once."""

    def __init__(self, client: Any, task: Callable[..., Any]):
        self.client = client
        self.task = client.scatter(_OneThreaded(task), broadcast=True, hash=False)

    def results(self, calls: Iterable[Call], died: Callable[[str], Any] | None = None) -> Iterator[Any]:
        """Results in order; the scheduler makes calls again whose worker died, three times."""
        ahead = AHEAD * max(1, sum(self.client.nthreads().values()))
        submit = partial(self.client.submit, _apply, self.task, pure=False)
        return _in_order(submit, calls, ahead, partial(self._failed, died=died))

    def _failed(self, call: Call, error: BaseException, died: Callable[[str], Any] | None) -> Any:
        from distributed import KilledWorker

        if not isinstance(error, KilledWorker):
            raise error
        reason = f"{error.allowed_failures + 1} workers died while they worked on it: perhaps it ran out of memory"
        if died is None:
            raise WorkerDied(reason) from error
        return died(reason)


class _OneThreaded:
    """A task that computes with one thread, wherever it runs."""

    def __init__(self, task: Callable[..., Any]):
        self.task = task

    def __call__(self, *call: Any) -> Any:
        with one_thread():
            return self.task(*call)


def _apply(task: Callable[..., Any], *call: Any) -> Any:
    return task(*call)


@contextmanager
def _client(kind: DaskAddress | Slurm) -> Iterator[Any]:
    """A client of the scheduler."""
    try:
        from distributed import Client
    except ImportError as error:
        raise SettingsError("workers: Dask is not installed: pip install 'assimilearn[cluster]'") from error
    with ExitStack() as stack:
        if isinstance(kind, Slurm):
            address: Any = stack.enter_context(_slurm_cluster(kind.slurm))
        else:
            address = kind.dask
        try:
            client = stack.enter_context(Client(address, timeout=PATIENCE))
        except (OSError, ValueError) as error:
            where = address if isinstance(address, str) else "started on SLURM"
            raise SettingsError(f"workers: the Dask scheduler {where} cannot be reached: {error}") from error
        if isinstance(kind, DaskAddress) and not client.nthreads():
            raise SettingsError(f"workers: the Dask scheduler {address} has no workers: start some first")
        yield client


@contextmanager
def _slurm_cluster(jobs: SlurmJobs) -> Iterator[Any]:
    """A scheduler in this process whose workers are jobs of SLURM; its pages are seen on this machine only."""
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise SettingsError("workers: dask-jobqueue is not installed: pip install 'assimilearn[cluster]'") from error
    cluster = SLURMCluster(
        cores=jobs.cores,
        processes=jobs.cores,
        memory=jobs.memory,
        walltime=jobs.walltime,
        queue=jobs.queue,
        account=jobs.account,
        scheduler_options={"dashboard_address": "127.0.0.1:0"},
        job_script_prologue=[f"export {name}=1" for name in VARIABLES],
    )
    try:
        cluster.scale(jobs=jobs.jobs)
        yield cluster
    finally:
        with suppress(OSError):
            cluster.close()
