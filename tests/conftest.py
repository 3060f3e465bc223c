"""Kernels are compiled anew when any of their sources has changed; see assimilearn/kernels.py."""

from assimilearn.kernels import drop_stale_kernels

drop_stale_kernels()
