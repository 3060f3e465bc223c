"""What every search keeps: batches in order, the same bytes on any workers, budgets, journals, edges, limits."""

import json
from dataclasses import dataclass, field

import numpy as np
import pytest
from pydantic import ValidationError

from assimilearn import store
from assimilearn.errors import SettingsError
from assimilearn.tuning.file import as_dataset, best_of
from assimilearn.tuning.journal import journal, journal_of, trials_log
from assimilearn.tuning.objective import FAILED, KILLED, OK, OUT_OF_MEMORY, Score
from assimilearn.tuning.search import SearchSettings, brackets_of, evaluations, find, rungs_of

DISTRIBUTIONS = {
    "x": {"distribution": "log_uniform", "low": 1e-3, "high": 1.0},
    "n": {"distribution": "integer", "low": 1, "high": 6},
}
LOSS = Score("loss", "distance from the minimum")


@dataclass(frozen=True)
class Valley:
    """A function with its minimum at x = 0.1, n = 3; a small budget sees it through noise."""

    full_budget: int = 27
    called: list = field(default_factory=list)
    scores = (LOSS,)
    parts = folds = 2

    def problem(self, values):
        return "\n".join(f"x: {v} is too small" for name, v in values.items() if name == "x" and v < 1e-3)

    def full(self, of):
        return self.full_budget

    def evaluate(self, values, trial, part, budget):
        self.called.append((trial, part, budget))
        x, n = values["x"], values.get("n", 3)
        noise = np.random.default_rng([trial, part]).standard_normal() / max(budget, 1) if budget else 0.0
        return {"loss": [np.log10(x / 0.1) ** 2 + 0.1 * (n - 3) ** 2 + 0.1 * part + 0.3 * noise]}


def search(**settings):
    return SearchSettings.model_validate({"distributions": DISTRIBUTIONS} | settings)


def run(settings, workers=1, kind="threads", objective=None, seed=3, kept=None):
    objective = objective or Valley()
    return as_dataset(find(objective, settings, seed, kind, workers, kept), objective, settings)


@pytest.mark.parametrize("method", ["random", "tpe", pytest.param("gp", marks=pytest.mark.slow)])
def test_a_search_has_the_same_bytes_for_any_number_of_workers(method, tmp_path):
    settings = search(method=method, trials=16, batch=4)
    for workers in (1, 3):
        store.write(run(settings, workers), tmp_path / f"{workers}.nc")
    assert (tmp_path / "1.nc").read_bytes() == (tmp_path / "3.nc").read_bytes()


def test_methods_that_learn_find_better_values_than_draws():
    """Median over seeds of the best of 24; each of the searches is cheap."""
    best = {
        method: np.median([float(run(search(method=method, trials=24), seed=k)["mean_score"].min()) for k in range(7)])
        for method in ("random", "tpe")
    }
    assert best["tpe"] < best["random"]


def test_hyperband_gives_most_trials_little_and_the_best_all():
    budget = {"of": "cycles", "smallest": 1, "factor": 3}
    found = run(search(method="hyperband", trials=40, budget=budget))
    counts = np.isfinite(found["mean_score"].values).sum(axis=0)
    assert found["budget"].values.tolist() == [1, 3, 9, 27]
    assert counts.tolist() == evaluations(search(method="hyperband", trials=40, budget=budget), [1, 3, 9, 27])
    assert counts.tolist() == [27, 21, 8, 3]
    spent = (counts * found["budget"].values).sum()
    assert spent < 0.4 * 40 * 27
    assert float(found["mean_score"][int(found["best"]), -1]) < 0.3


def test_brackets_are_those_of_the_paper():
    """Li et al. (2018), table 1: R = 81, eta = 3."""
    settings = search(method="hyperband", trials=143, budget={"of": "epochs", "smallest": 1, "factor": 3})
    rungs = rungs_of(Valley(full_budget=81), settings)
    assert rungs == [1, 3, 9, 27, 81]
    assert [(count, rungs[first]) for count, first in brackets_of(settings, rungs)] == [
        *[(81, 1), (34, 3), (15, 9), (8, 27), (5, 81)]
    ]


def test_halving_of_a_grid_keeps_the_best_third_at_each_rung():
    grid = {"x": [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0], "n": [2, 3, 4]}
    settings = SearchSettings(method="hyperband", grid=grid, budget={"of": "cycles", "smallest": 3, "factor": 3})
    found = run(settings)
    assert np.isfinite(found["mean_score"].values).sum(axis=0).tolist() == [21, 7, 2]
    assert json.loads(found.attrs["chosen"]) == {"x": 0.1, "n": 3}


def test_settings_are_sought_only_where_their_condition_holds():
    distributions = {
        "kind": {"distribution": "choice", "values": ["a", "b"]},
        "n": DISTRIBUTIONS["n"] | {"when": {"kind": ["b"]}},
    }
    found = run(SearchSettings(method="tpe", trials=20, distributions={"x": DISTRIBUTIONS["x"], **distributions}))
    without = found["setting_kind"].values == "a"
    assert 0 < without.sum() < 20
    assert np.array_equal(np.isnan(found["setting_n"].values), without)
    with pytest.raises(ValidationError, match="n depends on kind, which must stand before it"):
        SearchSettings(method="tpe", trials=3, distributions={"n": distributions["n"], "kind": distributions["kind"]})


def test_a_killed_search_resumes_to_the_same_result(tmp_path):
    """Killed in the midst of a line of its journal, after 13 parts of trials."""
    settings = search(method="tpe", trials=12, batch=4)

    class Dying(Valley):
        def evaluate(self, values, trial, part, budget):
            if len(self.called) == 13:
                raise KeyboardInterrupt
            return super().evaluate(values, trial, part, budget)

    undisturbed, output = run(settings), tmp_path / "found.nc"
    with pytest.raises(KeyboardInterrupt), journal(output, "this search") as kept:
        run(settings, objective=Dying(), kept=kept)
    with open(journal_of(output), "a") as file:
        file.write('{"key": "[1, 2')
    again = Valley()
    with journal(output, "this search") as kept:
        resumed = run(settings, objective=again, kept=kept)
    assert resumed.identical(undisturbed)
    assert len(again.called) == 24 - 13
    assert not journal_of(output).exists()
    lines = [json.loads(line) for line in trials_log(output).read_text().splitlines()]
    assert len(lines) == 25 and all(line["seconds"] >= 0 for line in lines[1:])


def test_the_journal_of_another_search_is_begun_anew(tmp_path):
    settings, output = search(method="random", trials=3), tmp_path / "found.nc"
    with pytest.raises(SettingsError), journal(output, "one") as kept:
        run(settings, kept=kept) and run(settings.model_copy(update={"limit": 1}), kept=kept)
    objective = Valley()
    with journal(output, "another") as kept:
        run(settings, objective=objective, kept=kept)
    assert len(objective.called) == 6


def test_whatever_goes_wrong_with_a_trial_is_recorded_with_its_reason():
    class Failing(Valley):
        def evaluate(self, values, trial, part, budget):
            if trial == 1:
                raise MemoryError("unable to allocate 4 EiB")
            if trial == 2:
                raise ZeroDivisionError("division by zero")
            return super().evaluate(values, trial, part, budget)

    found = run(search(method="random", trials=4), objective=Failing())
    assert found["status"].values.tolist() == [OK, OUT_OF_MEMORY, FAILED, OK]
    assert found["reason"].values[1:3].tolist() == [
        "out of memory: unable to allocate 4 EiB",
        "ZeroDivisionError: division by zero",
    ]
    assert int(found["best"]) in (0, 3)


@dataclass(frozen=True)
class Deadly(Valley):
    """Its third trial kills the process."""

    def evaluate(self, values, trial, part, budget):
        if trial == 2:
            import os

            os._exit(9)
        return super().evaluate(values, trial, part, budget)


@pytest.mark.slow
def test_a_trial_that_kills_its_worker_is_recorded_and_the_others_are_kept():
    found = run(search(method="random", trials=5), 2, "processes", Deadly())
    assert found["status"].values.tolist() == [OK, OK, KILLED, OK, OK]


def test_a_choice_on_the_edge_of_its_range_is_told_in_file_log_and_best(caplog):
    found = run(SearchSettings(grid={"x": [0.2, 0.4, 0.8]}))
    assert json.loads(found.attrs["edges"]) == ["x"]
    assert "the chosen x = 0.2 lies on the edge" in caplog.text
    assert "# x lies on the edge of its range" in best_of(found)
    assert json.loads(run(SearchSettings(grid={"x": [0.05, 0.1, 0.8]})).attrs["edges"]) == []


def test_an_edge_beyond_which_no_value_is_valid_is_none():
    class Bounded(Valley):
        def problem(self, values):
            return "x: too small" if values.get("x", 1) < 0.2 else ""

    found = run(SearchSettings(grid={"x": [0.2, 0.4, 0.8]}), objective=Bounded())
    assert json.loads(found.attrs["chosen"]) == {"x": 0.2} and json.loads(found.attrs["edges"]) == []


def test_the_cost_is_told_before_the_start_and_too_much_is_refused(caplog):
    caplog.set_level("INFO", logger="assimilearn")
    with pytest.raises(SettingsError, match=r"limit: the search would take 40 fits or runs and may take 30"):
        run(search(method="random", trials=20, limit=30))
    assert "40 fits or runs: 20 trials x 2" in caplog.text


def test_what_was_chosen_is_printed_as_yaml_for_a_study():
    import yaml

    found = run(search(method="tpe", trials=20))
    assert yaml.safe_load(best_of(found)) == json.loads(found.attrs["chosen"])
    assert best_of(found).startswith("# search: best of 20 trials\n# loss ")
