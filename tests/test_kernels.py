"""Cached kernels never outlive the sources that they were compiled from."""

from assimilearn.kernels import drop_stale_kernels


def test_kernels_are_dropped_when_any_source_with_kernels_changes_and_only_then(tmp_path):
    (tmp_path / "below" / "__pycache__").mkdir(parents=True)
    source, other = tmp_path / "below" / "a.py", tmp_path / "b.py"
    source.write_text("@njit\ndef f(): ...\n")
    other.write_text("x = 1\n")
    assert drop_stale_kernels(tmp_path)
    cached = tmp_path / "below" / "__pycache__" / "a.f-1.py311.nbi"
    cached.write_text("machine code")
    other.write_text("x = 2\n")
    assert not drop_stale_kernels(tmp_path)
    assert cached.exists()
    source.write_text("@njit\ndef f(): return 1\n")
    assert drop_stale_kernels(tmp_path)
    assert not cached.exists()
