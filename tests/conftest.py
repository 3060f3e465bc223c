"""What all tests share.

The tests of the workflow, which take longest, come first: so the workers end together. Each worker has one core; linear
algebra on more threads than cores waits for itself, and takes many times as long.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is imported


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: "workflow" not in item.path.parts)
