"""A bit that is flipped anywhere in a file ends no process, and raises nothing but an error that names the file."""

import re
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
    pattern = r"(?:emulators|observations): (\d+) of 300 refused, (\d+) without end in the library"
    found = [re.fullmatch(pattern, line) for line in lines]
    assert len(found) == 2 and all(found), done.stdout
    assert all(int(match[1]) > 0 and int(match[2]) <= 3 for match in found), done.stdout
