"""What a verb loads before it works."""

import subprocess
import sys

import pytest

PROBE = """
import sys
from assimilearn.cli import group
group.get_command(None, {verb!r})
import xarray
xarray.Dataset({{"a": ("x", [1.0])}}, coords={{"x": [0]}})
print(*sorted({{name.split(".")[0] for name in sys.modules}} & {{"dask", "numba", "scipy"}}))
import dask.array, scipy.io
"""


@pytest.mark.parametrize(
    ("verb", "loaded"), [("score-analysis", ""), ("observe", ""), ("figure", ""), ("assimilate", "numba scipy")]
)
def test_a_verb_loads_what_it_uses_the_compiler_with_scipy_where_it_compiles(verb, loaded):
    done = subprocess.run([sys.executable, "-c", PROBE.format(verb=verb)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == loaded
