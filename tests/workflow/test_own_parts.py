"""Models and networks that a user wrote, in a file beside the study, through the whole workflow."""

import shutil

import pytest
from project import ROOT, Project, copy_project

from assimilearn import store

PARTS = ROOT / "tests" / "plugins"

POND = {
    "study": "mine",
    "plugins": ["my_parts.py"],
    "models": {"pond": {"method": "pond", "damping": 0.2}, "wrong": {"method": "pond", "forcing": 7.0}},
    "climate": {"duration": 100, "segment": 10, "spinup": 20, "lyapunov_duration": 2, "lyapunov_count": 1},
    "periods": {"spinup": 20, "train": 100, "gap": 5, "validation": 20, "test": 30},
    "observations": {"network": {"method": "moving_random", "count": 60}, "error_std": 0.5},
    "analyses": {
        "letkf": {"method": "letkf", "model": "pond", "members": 20, "inflation": 1.05, "localization_radius": 1.5},
        "with-corrected": {"method": "letkf", "model": "corrected", "members": 20, "localization_radius": 1.5},
    },
    "emulators": {
        "boosted": {
            "method": "sklearn",
            "estimator": "HistGradientBoostingRegressor",
            "parameters": {"max_iter": 20},
            "radius": 1,
            "stride": 10,
            "trained_on": "letkf",
        },
        "unet": {"method": "unet", "width": 8, "epochs": 5, "trained_on": "letkf"},
        "corrected": {
            "method": "hybrid",
            "model": "wrong",
            "correction": {"method": "unet", "width": 8, "epochs": 5},
            "trained_on": "letkf",
        },
    },
    "forecasts": {"lead": 1, "free_run": 0, "starts": 5},
    "figures": ["forecast_skill"],
}
FLOW = {
    "study": "flow",
    "plugins": ["ginzburg_landau.py"],
    "models": {"flow": {"method": "ginzburg-landau"}},
    "climate": {"duration": 600, "segment": 20, "spinup": 50, "lyapunov_duration": 10, "lyapunov_count": 1},
    "periods": {"spinup": 20, "train": 40, "gap": 5, "validation": 10, "test": 100},
    "observations": {
        "network": {"method": "moving_random", "count": 120, "places": "anywhere"},
        "every": 5,
        "error_std": 0.1,
    },
    "analyses": {
        "blue": {"method": "blue"},
        "letkf": {"method": "letkf", "members": 12, "inflation": 1.05, "localization_radius": 4.0},
    },
    "figures": ["maps"],
}


def run(folder, study: dict) -> Project:
    """The finished study, in a copy of the workflow with the study's plug-ins beside it."""
    project = copy_project(folder / "project")
    for name in study["plugins"]:
        shutil.copy(PARTS / name, project.folder)
    project.configure(study)
    project.snakemake("--cores", "2")
    return project


def mean_score(project: Project, analysis: str, score: str = "rmse") -> float:
    name = f"scores/analyses/{analysis}.nc"
    (path,) = project.folder.glob(f"results/*/*/{name}")
    return float(store.read(path)["mean"].sel(score=score))


@pytest.mark.workflow_slow
def test_a_model_and_networks_of_the_user_run_to_the_report(tmp_path):
    project = run(tmp_path, POND)
    (report,) = project.folder.glob("results/*/report.html")
    assert report.is_file()
    assert mean_score(project, "letkf") < 0.5  # of fields in units of their climatological standard deviation
    assert mean_score(project, "with-corrected") < 0.7


@pytest.mark.workflow_slow
def test_a_filter_that_knows_the_plane_halves_the_error_of_blue_on_a_flow_of_two_fields(tmp_path):
    project = run(tmp_path, FLOW)
    assert mean_score(project, "letkf") < 0.5 * mean_score(project, "blue")
