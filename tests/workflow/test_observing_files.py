"""What is observed depends on the content of the file of a network."""

import pytest
from project import TINY, copy_project


@pytest.fixture
def project(tmp_path):
    project = copy_project(tmp_path / "project")
    (project.folder / "buoys.csv").write_text("time,site\n" + "".join(f"{0.05 * k:.2f},{k % 12}\n" for k in range(999)))
    return project


@pytest.mark.workflow_slow
def test_a_network_from_a_file_and_unequal_intervals_are_planned(project):
    network = {"method": "file", "path": "buoys.csv"}
    project.configure({**TINY, "observations": {"network": network, "every": [1, 3]}})
    text = project.snakemake("--dry-run", "--cores", "1", "--printshellcmds")
    assert '"path":"buoys.csv"' in text
    assert "--every [1,3]" in text or "--every '[1,3]'" in text


@pytest.mark.workflow_slow
def test_a_file_that_is_missing_stops_the_study_before_it_starts(project):
    (project.folder / "buoys.csv").unlink()
    project.configure({**TINY, "observations": {"network": {"method": "file", "path": "buoys.csv"}}})
    text = project.snakemake("--dry-run", "--cores", "1", status=1)
    assert "buoys.csv: no such file" in text
    assert "Traceback" not in text
