"""Workers: results in order wherever they run, one thread of computation in each, and none lost when one dies."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from assimilearn.errors import SettingsError
from assimilearn.tuning.workers import AHEAD, DaskAddress, Slurm, SlurmJobs, WorkerDied, one_thread, pool


def squared(x, wait=0.0):
    time.sleep(wait)
    return x * x


def threads_inside(_):
    """Threads that linear algebra, numba and torch may use here, and what libraries loaded later will read."""
    import numba
    import torch
    from threadpoolctl import threadpool_info

    np.ones((2, 2)) @ np.ones((2, 2))
    libraries = {info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"}
    numba.set_num_threads(numba.get_num_threads())
    return libraries | {torch.get_num_threads(), numba.get_num_threads(), int(os.environ["OMP_NUM_THREADS"])}


def killed_once(x, folder):
    """Kills its process the first time that it is called with 2, always with 3."""
    seen = Path(folder) / str(x)
    if x == 3 or (x == 2 and not seen.exists()):
        seen.touch()
        os._exit(1)
    return x


def refused(x):
    raise SettingsError(f"not {x}")


def test_results_come_in_the_order_of_the_calls():
    calls = [(k, 0.02 * (k % 3 == 0)) for k in range(7)]
    with pool("threads", 2, squared) as hands:
        assert list(hands.results(iter(calls))) == [k * k for k in range(7)]


def test_no_more_calls_are_read_than_keep_the_workers_busy():
    read = []

    def calls():
        for k in range(40):
            read.append(k)
            yield (k,)

    with pool("threads", 2, squared) as hands:
        results = hands.results(calls())
        next(results)
        assert len(read) == 2 * AHEAD


@pytest.mark.parametrize("kind", ["threads", pytest.param("processes", marks=pytest.mark.slow)])
def test_what_a_call_raises_is_raised_here(kind):
    with pool(kind, 2, refused) as hands, pytest.raises(SettingsError, match="not 5"):
        list(hands.results([(5,)]))


@pytest.mark.parametrize("kind", ["threads", pytest.param("processes", marks=pytest.mark.slow)])
def test_a_worker_computes_with_one_thread(kind):
    with pool(kind, 2, threads_inside) as hands:
        assert list(hands.results([(k,) for k in range(4)])) == [{1}] * 4


def test_threads_are_as_before_when_the_work_is_done(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with one_thread():
        assert os.environ["OMP_NUM_THREADS"] == "1"
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_a_worker_that_dies_loses_no_result_and_the_call_that_kills_it_is_known(tmp_path):
    calls = [(k, str(tmp_path)) for k in range(6)]
    with pool("processes", 2, killed_once) as hands:
        results = list(hands.results(calls, died=lambda reason: reason))
    assert results[:3] + results[4:] == [0, 1, 2, 4, 5]
    assert "killed: perhaps it ran out of memory" in results[3]


@pytest.mark.slow
def test_where_no_result_may_be_missing_a_death_is_an_error(tmp_path):
    with pool("processes", 2, killed_once) as hands, pytest.raises(WorkerDied):
        list(hands.results([(3, str(tmp_path)), (4, str(tmp_path))]))


@pytest.mark.slow
def test_a_dask_scheduler_gives_the_same_results_and_survives_a_death(tmp_path):
    from dask.distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True) as cluster:
        address = DaskAddress(dask=cluster.scheduler_address)
        with pool(address, 1, squared) as hands:
            assert list(hands.results((k,) for k in range(20))) == [k * k for k in range(20)]
        with pool(address, 1, threads_inside) as hands:
            assert list(hands.results([(k,) for k in range(4)])) == [{1}] * 4
        with pool(address, 1, killed_once) as hands:
            calls = [(k, str(tmp_path)) for k in (0, 1, 2, 4)]
            assert list(hands.results(calls)) == [0, 1, 2, 4]


def test_a_scheduler_that_cannot_be_reached_is_one_sentence(monkeypatch):
    monkeypatch.setattr("assimilearn.tuning.workers.PATIENCE", 1)
    with (
        pytest.raises(SettingsError, match=r"workers: the Dask scheduler tcp://127\.0\.0\.1:1 cannot"),
        pool(DaskAddress(dask="tcp://127.0.0.1:1"), 1, squared),
    ):
        pass


def test_without_the_package_for_slurm_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "dask_jobqueue", None)
    with (
        pytest.raises(SettingsError, match=r"pip install 'assimilearn\[cluster\]'"),
        pool(Slurm(slurm=SlurmJobs(jobs=2)), 1, squared),
    ):
        pass


def test_jobs_of_slurm_are_those_that_the_study_asks_for_and_their_pages_stay_on_this_machine(monkeypatch):
    """The package is stood in for: what it is asked for is what counts here."""
    import types

    asked = {}

    class SLURMCluster:
        def __init__(self, **options):
            asked.update(options)

        def scale(self, jobs):
            asked["jobs"] = jobs

        def close(self):
            asked["closed"] = True

    monkeypatch.setitem(__import__("sys").modules, "dask_jobqueue", types.SimpleNamespace(SLURMCluster=SLURMCluster))
    monkeypatch.setattr("distributed.Client", lambda *_, **__: (_ for _ in ()).throw(OSError("none here")))
    jobs = SlurmJobs(jobs=3, cores=4, memory="8GB", walltime="00:30:00", queue="short")
    with pytest.raises(SettingsError, match="started on SLURM cannot be reached"), pool(Slurm(slurm=jobs), 1, squared):
        pass
    assert asked["jobs"] == 3 and asked["processes"] == asked["cores"] == 4 and asked["queue"] == "short"
    assert asked["scheduler_options"] == {"dashboard_address": "127.0.0.1:0"} and asked["closed"]
    assert "export OMP_NUM_THREADS=1" in asked["job_script_prologue"]
