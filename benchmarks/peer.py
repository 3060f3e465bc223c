"""DAPPER in a process of its own, run by a Python of its own."""

import json
import subprocess
from pathlib import Path


class Peer:
    """DAPPER in a process of its own, which answers one request after another."""

    def __init__(self, python: Path):
        command = [str(python), str(Path(__file__).with_name("dapper_worker.py"))]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request) -> dict:
        """The answer to one request."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit("the process of DAPPER ended: its message stands above")
        return json.loads(answer)

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
