"""A bit that is flipped anywhere in a file ends no process, and raises nothing but an error that names the file."""

import subprocess
import sys
from pathlib import Path

import pytest
from small_chain import make


@pytest.mark.workflow_slow
def test_flipped_bits_are_refused_by_name_or_change_numbers_only(tmp_path):
    make(tmp_path)
    command = [sys.executable, str(Path(__file__).with_name("flipped.py")), str(tmp_path), "emulators", "observations"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-300:]
    lines = done.stdout.splitlines()
    assert len(lines) == 2 and all(line.endswith("of 300 refused") for line in lines), done.stdout
    assert all(int(line.split()[1]) > 0 for line in lines)
