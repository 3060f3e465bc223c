"""A file of every kind, made with the verbs."""

from click.testing import CliRunner

from assimilearn.cli import group

MODEL = '{"method": "lorenz96", "size": 12}'
PERIODS = '{"spinup": 10, "train": 60, "gap": 5, "validation": 30, "test": 60}'
CLIMATE = '{"duration": 100, "lyapunov_duration": 5}'
RIDGE = '{"method": "ridge", "radius": 1, "degree": 1}'
SEARCH = '{"grid": {"alpha": [0.01, 1]}, "folds": 2, "gap": 2}'
SWEPT = (
    '{"analysis": {"method": "etkf"}, "over": {"members": [8, 12]}, "by": ["members"], '
    '"realizations": 2, "steps": 60, "burn_in": 20}'
)
SCORED = '{"starts": 3, "lead": 1, "free_run": 60, "free_runs": 2, "lyapunov_duration": 3}'
NETWORK = '{"network": {"method": "every", "stride": 2}}'


def run(*arguments):
    """Run a verb in this process; raise what it raises."""
    result = CliRunner().invoke(group, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def make(folder, seed=0):
    """Files in ``folder``, named after their kinds."""
    paths = {kind: folder / f"{kind}.nc" for kind in KINDS}
    model, observed = paths["model"], ["--observations", paths["observations"]]
    forecast = ["--model", model, "--climate", model]
    named = ["--seed", seed, "--label"]
    run("climate", model, "--model", MODEL, "--settings", CLIMATE, *named, "a/b/model")
    run("simulate", model, paths["truth"], "--periods", PERIODS, *named, "a/b/truth")
    run("observe", paths["truth"], paths["observations"], "--settings", NETWORK, *named, "a/b/observations")
    run("assimilate", paths["observations"], paths["analyses"], *forecast, *named, "a/b/etkf")
    run("tune", paths["analyses"], paths["tuning"], "--settings", RIDGE, "--search", SEARCH, *named, "a/b/ridge")
    tuned = ["--tuned", paths["tuning"]]
    run("train", paths["analyses"], paths["emulators"], "--settings", RIDGE, *tuned, *named, "a/b/ridge")
    swept = ["--truth-model", model, "--settings", SWEPT, "--observations", '{"network": {"method": "all"}}']
    run("sweep", paths["sweeps"], *forecast, *swept, *named, "a/b/swept")
    truth = ["--truth", paths["truth"]]
    run("score-analysis", paths["analyses"], paths["analysis_scores"], *observed, *truth, *named, "a/b/etkf")
    given = ["--analysis", paths["analyses"], "--climate", model, *observed, *truth, "--settings", SCORED]
    run("score-forecasts", model, paths["forecast_scores"], *given, *named, "a/b/model")
    run("scorecard", folder / "scorecard.csv", model, paths["analysis_scores"], paths["forecast_scores"])
    return paths


KINDS = (
    "model",
    "truth",
    "observations",
    "analyses",
    "tuning",
    "emulators",
    "sweeps",
    "analysis_scores",
    "forecast_scores",
)
