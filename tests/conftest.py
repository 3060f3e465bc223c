"""What all tests share.

Kernels are compiled anew when any of their sources has changed; see assimilearn/kernels.py. The tests of the workflow,
which take longest, come first: so the workers end together.
"""

from assimilearn.kernels import drop_stale_kernels

drop_stale_kernels()


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: "workflow" not in item.path.parts)
