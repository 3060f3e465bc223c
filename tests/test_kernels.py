"""Cached kernels never outlive their sources, and give the same bytes as those compiled in the same process."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from llvmlite.binding import Linkage
from numba import njit
from numba.core.registry import cpu_target

from assimilearn.kernels import compile_alike, drop_stale_kernels

compile_alike()

ROOT = Path(__file__).parents[1]


def test_kernels_are_dropped_when_any_source_with_kernels_changes_and_only_then(tmp_path):
    (tmp_path / "below" / "__pycache__").mkdir(parents=True)
    source, other = tmp_path / "below" / "a.py", tmp_path / "b.py"
    source.write_text("@njit\ndef f(): ...\n")
    other.write_text("x = 1\n")
    first = drop_stale_kernels(tmp_path)
    cached = tmp_path / "below" / "__pycache__" / "a.f-1.py311.nbi"
    cached.write_text("machine code")
    other.write_text("x = 20\n")
    source.touch()
    assert drop_stale_kernels(tmp_path) == first
    assert cached.exists()
    source.write_text("@njit\ndef f(): return 1\n")
    assert drop_stale_kernels(tmp_path) != first
    assert not cached.exists()


def test_a_kernel_kept_elsewhere_serves_only_with_the_sources_that_it_was_compiled_from():
    """A user's own kernel, in a folder of its own, may call one of the package."""
    assert cpu_target.target_context.codegen().magic_tuple()[-1] == drop_stale_kernels()


def test_callees_in_the_code_of_a_kernel_are_its_own():
    """Visible copies would be replaced by whatever object of the same name is loaded first."""

    @njit(fastmath=True)
    def total(x):
        s = 0.0
        for i in range(x.size):
            s += x[i] * x[i]
        return s

    @njit
    def twice(x):
        return total(x) + total(x[::2])

    assert twice(np.arange(5.0)) == 50
    (compiled,) = twice.overloads.values()
    linkage = [f.linkage for f in compiled.library.get_defined_functions()]
    assert Linkage.linkonce_odr not in linkage and Linkage.external in linkage


LOADED = """
import sys
import numpy as np
from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.integrate import trajectory

model = Lorenz96(Lorenz96Settings())
models = {"alone": model, "caller": model.augmented(["forcing"])}
for name in sys.argv[1:]:
    start = np.append(np.random.default_rng(0).standard_normal(40), 8.0)[: models[name].size]
    print(name, trajectory(models[name], start, 500)[-1].tobytes().hex())
"""


def test_a_model_run_by_pointer_is_the_same_after_a_kernel_that_calls_its_step():
    """The loader took the name for the copy that is in the caller's code, which rounds otherwise."""

    def run(*names):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", LOADED, *names]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return dict(line.split() for line in done.stdout.splitlines())

    alone, after, before = run("alone"), run("caller", "alone"), run("alone", "caller")
    assert after["alone"] == alone["alone"] == before["alone"]
    assert after["caller"] == before["caller"]


@pytest.mark.workflow_slow
@pytest.mark.parametrize("package", ["models", "observations", "assimilation", "emulators"])
def test_whatever_file_with_kernels_is_imported_first_they_are_compiled_alike(package):
    files = [p for p in (ROOT / "src" / "assimilearn" / package).rglob("*.py") if "\nfrom numba" in p.read_text()]
    assert files
    probe = "import sys, importlib; importlib.import_module(sys.argv[1]); import numba.core.codegen as c; "
    probe += "print(c.JITCPUCodegen._library_class.__name__)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    for path in files if package in ("models", "observations") else files[:1]:
        name = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)
        command = [sys.executable, "-c", probe, name]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "PrivateCallees", name


def test_operators_are_compiled_anew_for_other_fast_math_flags():
    """x**2 of the first kernel would serve all later ones, and be contracted with their sums or not."""

    @njit(fastmath={"contract"})
    def contracted(x):
        return 1.0 + x**2

    @njit
    def plain(x):
        return 1.0 + x**2

    x = 1 / 3
    first = contracted(x)
    assert plain(x) == 1.0 + x**2
    text = {f: next(iter(f.inspect_llvm().values())) for f in (contracted, plain)}
    assert "fmul contract" in text[contracted] and "contract" not in text[plain]
    assert first == pytest.approx(plain(x), rel=1e-15)


RUNS = """
import sys
import numpy as np
from tests.assimilation.twins import lorenz96_climatology, lorenz96_truth, observe_states
from assimilearn.assimilation import METHODS, assimilate

model, states = lorenz96_truth(60)
observations = observe_states(states, model.time_step, 1.0, np.random.default_rng(1))
for method in sys.argv[1:]:
    settings = METHODS[method](members=20, inflation=1.04)
    analysis = assimilate(observations, model, settings, lorenz96_climatology(), np.random.default_rng(2))
    print(method, analysis["mean"].values.tobytes().hex()[-400:])
"""


@pytest.mark.workflow_slow
def test_the_first_run_gives_the_bytes_of_all_later_ones_whatever_else_is_loaded(tmp_path):
    """Round-off of one update is 0.001 after 60 of them, so bytes differ if any kernel adds in another order."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}

    def run(*methods):
        done = subprocess.run(
            [sys.executable, "-c", RUNS, *methods],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        return dict(line.split() for line in done.stdout.splitlines())

    first = run("etkf")
    assert any(tmp_path.rglob("*.nbc"))
    assert run("etkf") == first
    compiled, loaded = run("esrf", "etkf"), run("esrf", "etkf")
    assert compiled["etkf"] == first["etkf"] and loaded == compiled
