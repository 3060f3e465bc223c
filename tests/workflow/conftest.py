"""The tiny study, run once for all tests that look at it."""

import shutil

import pytest
from project import TINY, Project, copy_project


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """The tiny study, run once with two cores; tests that change anything must copy it first."""
    project = copy_project(tmp_path_factory.mktemp("tiny") / "project")
    project.configure(TINY)
    project.snakemake("--cores", "2")
    return project


@pytest.fixture
def own_run(tiny_run, tmp_path):
    """A copy of the finished tiny study that a test may change."""
    folder = tmp_path / "project"
    shutil.copytree(tiny_run.folder, folder, symlinks=True)
    return Project(folder)
