"""The floors of docs/architecture.md, read from its table and held against every import in the package."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "assimilearn"
FILES = sorted(PACKAGE.rglob("*.py"))
APART = {"assimilation", "emulators", "verification"}
HEAVY = ("torch", "sklearn", "dask", "distributed", "matplotlib", "snakemake")


def floors() -> dict[str, int]:
    """Package -> floor, from the table in docs/architecture.md."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| (\d) \| (.+?) \|", text, flags=re.MULTILINE)
    return {name: int(floor) for floor, names in rows for name in re.findall(r"`(\w+)`", names)}


def package_of(path: Path) -> str:
    """The first name below assimilearn: a package or a module of its own."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(source: str) -> set[str]:
    """The packages of assimilearn that ``source`` imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the floor"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    parts = [name.split(".") for name in names]
    return {part[1] for part in parts if part[0] == "assimilearn" and len(part) > 1 and not part[1].startswith("__")}


def forbidden(package: str, imports: set[str], floor: dict[str, int]) -> set[str]:
    """What of ``imports`` stands neither below ``package`` nor in it; floor 0 may import within itself."""
    return {
        name for name in imports - {package} if not (floor[name] < floor[package] or floor[name] == floor[package] == 0)
    }


def test_the_table_names_every_package():
    found = {package_of(path) for path in FILES} - {"__init__", "__main__"}
    assert found <= set(floors())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_only_from_floors_below_it(path):
    package = package_of(path)
    floor = floors() | {"__init__": 0, "__main__": 9}
    assert forbidden(package, imported(path.read_text()), floor) == set()


def test_assimilation_emulators_and_verification_do_not_import_each_other():
    for path in FILES:
        if (package := package_of(path)) in APART:
            assert not imported(path.read_text()) & (APART - {package}), path


def test_an_import_inside_a_function_upwards_is_found():
    source = "def f():\n    from assimilearn.cli import main\n    import assimilearn.models.truth\n"
    assert imported(source) == {"cli", "models"}
    assert forbidden("observations", imported(source), floors()) == {"cli"}


def test_the_same_floor_is_forbidden_above_the_ground():
    assert forbidden("tuning", {"figures", "emulators"}, floors()) == {"figures"}
    assert forbidden("periods", {"settings"}, floors()) == set()


@pytest.mark.parametrize(
    "package", ["models", "observations", "assimilation", "emulators", "verification", "loops", "study"]
)
def test_importing_every_file_of_a_package_loads_nothing_heavy(package):
    """But torch modules and the scikit-learn estimator, which say so."""
    program = f"""
import importlib, pkgutil, sys
package = importlib.import_module("assimilearn.{package}")
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if ".networks.modules" not in module.name and module.name != "assimilearn.emulators.estimator":
        importlib.import_module(module.name)
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
