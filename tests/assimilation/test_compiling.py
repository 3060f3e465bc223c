"""The first run ever: another process compiles the cycle, and what it does or fails to do changes no result."""

import numba
import numpy as np
import pytest
from tests.assimilation.twins import lorenz96_climatology, lorenz96_truth, observe_states

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.cycling import compiling
from assimilearn.assimilation.cycling.cycle import compiled_cycle


@pytest.fixture
def never_compiled(monkeypatch):
    """As on the first run, but for a folder of kernels."""
    compiled_cycle.cache_clear()
    monkeypatch.setattr(compiling, "on_disk", lambda: False)
    monkeypatch.setattr(compiling, "cores", lambda: 2)


def test_nothing_is_compiled_beside_what_is_on_disk(monkeypatch):
    monkeypatch.setattr(compiling, "cores", lambda: 2)
    compiled_cycle()
    with compiling.compiling_all_but_the_update() as compiler:
        assert compiler is None
    compiled_cycle.cache_clear()
    assert compiling.on_disk()
    with compiling.compiling_all_but_the_update() as compiler:
        assert compiler is None


def test_one_core_has_nothing_beside(never_compiled, monkeypatch):
    monkeypatch.setattr(compiling, "cores", lambda: 1)
    with compiling.compiling_all_but_the_update() as compiler:
        assert compiler is None


def test_the_other_process_is_waited_for(never_compiled, monkeypatch):
    monkeypatch.setattr(compiling, "COMMAND", "import time; time.sleep(0.3); raise SystemExit(3)")
    with compiling.compiling_all_but_the_update() as compiler:
        assert compiler.poll() is None
    assert compiler.returncode == 3


def test_a_compiler_that_fails_changes_nothing(never_compiled, monkeypatch):
    rng = np.random.default_rng
    model, states = lorenz96_truth(30)
    observations = observe_states(states, model.time_step, 1.0, rng(1))
    todo = observations, model, METHODS["etkf"](members=12), lorenz96_climatology()
    monkeypatch.setattr(compiling, "COMMAND", "raise SystemExit(3)")
    beside_a_failure = assimilate(*todo, rng(2))
    alone = assimilate(*todo, rng(2))
    assert beside_a_failure.identical(alone)


@pytest.mark.workflow_slow
def test_the_other_process_keeps_the_cycle_on_disk(monkeypatch, tmp_path):
    """Really compiled, into an empty folder; this process then finds it there."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(compiling, "cores", lambda: 2)
    compiled_cycle.cache_clear()
    assert not compiling.on_disk()
    with compiling.compiling_all_but_the_update() as compiler:
        pass
    assert compiler.returncode == 0
    assert compiling.on_disk()
    assert sum(compiled_cycle().stats.cache_hits.values()) == 1
    compiled_cycle.cache_clear()
