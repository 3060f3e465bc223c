"""The scorecard: names, bounds, claims, failures, and its CSV."""

import json
import math

import numpy as np
import pytest
import xarray as xr
from pydantic import ValidationError

from assimilearn.errors import FileError
from assimilearn.verification import Claim, Row, read_scorecard, scorecard, write_scorecard


def analysis_scores(rmse, uncertainty=0.01, **attributes):
    return xr.Dataset(
        {"mean": ("score", [rmse, 0.2]), "uncertainty": ("score", [uncertainty, np.nan])},
        coords={"score": ["rmse", "spread"]},
        attrs={"status": "ok", **attributes},
    )


def forecast_scores(**attributes):
    return xr.Dataset(
        {
            "valid_time_mean": ("initial", [2.0, 3.0]),
            "valid_time_uncertainty": ("initial", [0.2, 0.3]),
            "censored": (("initial", "start"), [[0, 0], [1, 0]]),
            "std_error": ((), -0.1),
        },
        coords={"initial": ["analysis", "truth"], "start": [0.0, 1.0], "lead": [0.0, 5.0]},
        attrs={"status": "ok", "free_run": "ok", "lyapunov_time": 0.5, **attributes},
    )


def lorenz96_file(forcing=8.0, exponents=(1.7, 0.0, -1.0, -5.7)):
    mean = np.full(4, 2.34)
    return xr.Dataset(
        {
            "mean": ("site", mean),
            "std": ("site", np.sqrt(mean * (8.0 - mean))),
            "lyapunov_exponent": ("index", np.array(exponents)),
        },
        attrs={"method": "lorenz96", "settings": json.dumps({"method": "lorenz96", "size": 4, "forcing": forcing})},
    )


def by_name(rows):
    return {row.name: row for row in rows}


def claim(published, **others):
    return Claim(published=published, source="a paper", **others)


def test_rows_are_named_after_scenario_node_and_score():
    rows = by_name(
        scorecard(
            {"base": {"etkf": analysis_scores(0.28, lost_fraction=0.02)}},
            {"base": {"cnn": forecast_scores()}},
            {"base": {"l96": lorenz96_file()}},
        )
    )
    assert rows["base/etkf/rmse"] == Row("base/etkf/rmse", 0.28, 0.01)
    assert rows["base/etkf/spread"].uncertainty is None
    assert rows["base/etkf/lost_fraction"].value == 0.02
    assert rows["base/cnn/valid_time"].value == 2.0
    assert rows["base/cnn/valid_time_lyapunov"] == Row("base/cnn/valid_time_lyapunov", 4.0, 0.4)
    assert rows["base/cnn/climate_std_error"].value == -0.1
    assert rows["base/l96/lyapunov_exponent_1"].value == 1.7
    assert rows["base/l96/kaplan_yorke_dimension"].value == pytest.approx(3 + 0.7 / 5.7)


def test_a_censored_mean_valid_time_is_called_a_lower_bound():
    rows = by_name(scorecard({}, {"base": {"cnn": forecast_scores()}}, {}))
    assert rows["base/cnn/valid_time_from_truth"].source == "lower bound: 1 of 2 forecasts still valid at 5 MTU"
    assert rows["base/cnn/valid_time"].source == ""


@pytest.mark.parametrize(
    ("given", "value", "passed"),
    [
        (claim(0.2, tolerance=0.01), 0.209, True),
        (claim(0.2, tolerance=0.01), 0.211, False),
        (claim(0.2, relation="at_most"), 0.1, True),
        (claim(0.2, relation="at_most", tolerance=0.01), 0.22, False),
        (claim(0.2, relation="at_least"), 0.3, True),
        (claim(0.2, relation="at_least"), 0.1, False),
        (claim(0.2, upper=0.3, relation="between"), 0.25, True),
        (claim(0.2, upper=0.3, relation="between", tolerance=0.02), 0.31, True),
        (claim(-0.3, upper=0.0, relation="between"), 0.1, False),
        (claim(0.2, relation="at_most"), math.nan, False),
    ],
)
def test_a_claim_passes_within_its_tolerance_and_never_on_nan(given, value, passed):
    row = by_name(scorecard({"s": {"a": analysis_scores(value)}}, {}, {}, {"s/a/rmse": given}))["s/a/rmse"]
    assert row.passed is passed
    assert row.tolerance == given.tolerance and row.source == "a paper"


def test_a_row_without_a_claim_neither_passes_nor_fails():
    assert by_name(scorecard({"s": {"a": analysis_scores(0.3)}}, {}, {}))["s/a/rmse"].passed is None


def test_the_ratio_to_the_same_method_with_the_physical_model_is_a_row_of_its_own():
    given = {
        "etkf": analysis_scores(0.25, method="etkf", model_kind="physical"),
        "enkf": analysis_scores(0.2, method="enkf", model_kind="physical"),
        "etkf-cnn": analysis_scores(0.3, 0.02, method="etkf", model_kind="emulator"),
    }
    rows = by_name(scorecard({"s": given}, {}, {}, {"s/etkf-cnn/rmse_ratio": claim(1.1, relation="at_most")}))
    ratio = rows["s/etkf-cnn/rmse_ratio"]
    assert (ratio.value, ratio.uncertainty) == (pytest.approx(1.2), pytest.approx(0.08))
    assert ratio.passed is False
    assert "s/etkf/rmse_ratio" not in rows


def test_valid_times_are_compared_only_between_forecasts_from_the_same_analyses():
    def scores(kind, digest, valid_time):
        file = forecast_scores(model_kind=kind, inputs=json.dumps({"analysis": digest}))
        return file.assign(valid_time_mean=("initial", [valid_time, 3.0]))

    given = {
        "l96": scores("physical", "a", 2.0),
        "one": scores("emulator", "a", 1.8),
        "two": scores("emulator", "b", 1),
    }
    rows = by_name(scorecard({}, {"s": given}, {}))
    assert rows["s/one/valid_time_ratio"].value == pytest.approx(0.9)
    assert "s/two/valid_time_ratio" not in rows


def test_lyapunov_exponents_are_held_against_those_of_the_reference():
    exponents = {"lyapunov_exponent": ("index", [1.53, 0.53, -2.0]), "lyapunov_reference": ("index", [1.7, 0.5, -3.0])}
    rows = by_name(scorecard({}, {"s": {"cnn": forecast_scores().assign(exponents)}}, {}))
    assert rows["s/cnn/lyapunov_error_1"].value == pytest.approx(-0.1)
    assert rows["s/cnn/lyapunov_misfit"].value == pytest.approx(1.0)


def test_a_claim_about_a_missing_row_fails_and_names_the_nearest():
    rows = scorecard({"s": {"etkf": analysis_scores(0.3)}}, {}, {}, {"s/etfk/rmse": claim(0.2)})
    assert rows[-1].name == "s/etfk/rmse" and rows[-1].passed is False and math.isnan(rows[-1].value)
    assert "perhaps s/etkf/rmse" in rows[-1].source


def test_a_claim_about_the_median_is_held_against_all_scenarios_that_have_the_row():
    files = {name: {"etkf": analysis_scores(rmse)} for name, rmse in zip("abc", (0.2, 0.3, 0.7), strict=True)}
    files["d"] = {"enkf": analysis_scores(0.9)}
    rows = by_name(scorecard(files, {}, {}, {"*/etkf/rmse": claim(0.31, relation="at_most")}))
    row = rows["*/etkf/rmse"]
    assert row.value == 0.3 and row.passed is True
    assert row.uncertainty == pytest.approx(1.2533 * np.std([0.2, 0.3, 0.7], ddof=1) / np.sqrt(3))
    assert row.source == "a paper (3 scenarios, 0.2 to 0.7)"
    assert "*/enkf/rmse" not in rows


def test_a_pattern_of_scenarios_takes_the_median_over_those_that_match():
    names = ("noise-1-a", "noise-1-b", "noise-2-a")
    files = {name: {"etkf": analysis_scores(rmse)} for name, rmse in zip(names, (0.2, 0.3, 0.9), strict=True)}
    rows = by_name(scorecard(files, {}, {}, {"noise-1-*/etkf/rmse": claim(0.25, tolerance=0.001)}))
    assert rows["noise-1-*/etkf/rmse"].passed is True


def test_the_median_of_a_row_that_one_scenario_lost_is_no_number_and_fails():
    files = {"a": {"etkf": analysis_scores(0.2)}, "b": {"etkf": analysis_scores(math.nan, status="diverged")}}
    row = by_name(scorecard(files, {}, {}, {"*/etkf/rmse": claim(0.3, relation="at_most")}))["*/etkf/rmse"]
    assert math.isnan(row.value) and row.passed is False
    assert row.source == "a paper (a scenario has no value)"


def test_a_diverged_analysis_fails_and_says_when_and_why():
    broken = analysis_scores(math.nan, status="diverged", diverged_at=12.5, reason="not finite")
    rows = scorecard({"s": {"a": broken}}, {}, {}, {"s/a/rmse": claim(0.2, relation="at_least")})
    assert {row.passed for row in rows} == {False}
    assert by_name(rows)["s/a/rmse"].source == "a paper (diverged at 12.5 MTU: not finite)"
    assert by_name(rows)["s/a/spread"].source == "diverged at 12.5 MTU: not finite"


def test_a_lost_analysis_has_its_numbers_fails_and_bounds_nothing():
    physical = {"method": "etkf", "model_kind": "physical"}
    lost = analysis_scores(3.9, status="lost", reason="surer than right", lost_fraction=0.62, **physical)
    learned = analysis_scores(0.3, method="etkf", model_kind="emulator")
    rows = by_name(scorecard({"s": {"a": lost, "b": learned}}, {}, {}, {"s/a/rmse": claim(4, relation="at_most")}))
    assert rows["s/a/rmse"].value == 3.9 and rows["s/a/rmse"].passed is False
    assert rows["s/a/rmse"].source == "a paper (lost: surer than right)"
    assert rows["s/a/lost_fraction"].passed is False
    assert math.isnan(rows["s/b/rmse"].bound[0]) and rows["s/b/rmse"].passed is None


def test_a_diverged_free_run_fails_in_its_climate_rows_alone():
    rows = by_name(scorecard({}, {"s": {"cnn": forecast_scores(free_run="diverged")}}, {}))
    assert rows["s/cnn/climate_pdf_distance"].passed is False
    assert rows["s/cnn/climate_pdf_distance"].source == "the free run diverged"
    assert rows["s/cnn/valid_time"].passed is None


def test_learned_analyses_are_bounded_by_the_true_model_and_interpolation():
    analyses = {
        "interpolation": analysis_scores(1.05, method="interpolation", model_kind="none"),
        "enkf": analysis_scores(0.25, method="enkf", model_kind="physical"),
        "etkf": analysis_scores(0.28, method="etkf", model_kind="physical"),
        "etkf-cnn": analysis_scores(0.5, method="etkf", model_kind="emulator"),
        "etkf-broken": analysis_scores(math.nan, method="etkf", model_kind="physical", status="diverged"),
    }
    rows = by_name(scorecard({"s": analyses, "other": {"a": analysis_scores(0.1)}}, {}, {}))
    assert rows["s/etkf-cnn/rmse"].bound == (0.28, 1.05)
    assert rows["s/etkf-cnn/spread"].bound is None and rows["s/etkf/rmse"].bound is None


def test_a_bound_that_the_scenario_lacks_is_no_number():
    rows = by_name(scorecard({"s": {"etkf-cnn": analysis_scores(0.5, model_kind="emulator")}}, {}, {}))
    assert np.isnan(rows["s/etkf-cnn/rmse"].bound).all()


def test_exact_identities_of_lorenz96_pass_and_fail_as_they_must():
    rows = by_name(scorecard({}, {}, {"s": {"l96": lorenz96_file(exponents=(1.7, 0.0, -1.0, -4.7))}}))
    assert rows["s/l96/variance_identity"].passed is True
    assert rows["s/l96/variance_identity"].value == pytest.approx(1)
    assert rows["s/l96/lyapunov_sum"].passed is True and rows["s/l96/lyapunov_sum"].published == "-4"
    wrong = by_name(scorecard({}, {}, {"s": {"l96": lorenz96_file(forcing=10.0, exponents=(1.0, 0.5, -0.5, -9.0))}}))
    assert wrong["s/l96/variance_identity"].passed is False
    assert wrong["s/l96/lyapunov_sum"].passed is False


def test_too_few_exponents_give_no_dimension():
    rows = by_name(scorecard({}, {}, {"s": {"l96": lorenz96_file(exponents=(1.7, 0.5))}}))
    assert "s/l96/kaplan_yorke_dimension" not in rows and "s/l96/lyapunov_sum" not in rows


def test_the_table_survives_its_file_with_six_significant_digits(tmp_path):
    rows = [
        Row("s/a/rmse", 0.123456789, 0.01, (0.28, 1.05), "<= 0.2", 0.01, 'a paper, with "quotes"', True),
        Row("s/b/rmse", math.nan, bound=(math.nan, 1.0), passed=False),
        Row("s/c/rmse", 1e-7),
    ]
    write_scorecard(rows, tmp_path / "scorecard.csv")
    text = (tmp_path / "scorecard.csv").read_text()
    assert text.splitlines()[0] == "name,value,uncertainty,bound,published,tolerance,source,passed"
    assert text.splitlines()[3] == "s/c/rmse,1e-07,,,,,,"
    back = read_scorecard(tmp_path / "scorecard.csv")
    assert back[0].value == 0.123457 and back[0].bound == (0.28, 1.05) and back[0].source == rows[0].source
    assert math.isnan(back[1].value) and math.isnan(back[1].bound[0]) and back[1].passed is False
    assert back[2] == rows[2]
    write_scorecard(back, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_text() == text


def test_a_file_that_is_no_scorecard_is_refused(tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(FileError, match="is not a scorecard"):
        read_scorecard(tmp_path / "other.csv")
    with pytest.raises(FileError, match="no such file"):
        read_scorecard(tmp_path / "nothing.csv")


def test_contradictory_claims_are_refused():
    with pytest.raises(ValidationError, match="upper is needed"):
        claim(0.2, relation="between")
    with pytest.raises(ValidationError, match="upper is needed"):
        claim(0.2, upper=0.3)
    with pytest.raises(ValidationError, match="below published"):
        claim(0.2, upper=0.1, relation="between")


def sweep_file(rmse, by=(), status=None):
    """Scores over two inflations (rows) and three realizations (columns), or a third dimension of members first."""
    rmse = np.array(rmse)
    over = {"members": [10, 20], "inflation": [1.0, 1.05]} if rmse.ndim == 3 else {"inflation": [1.0, 1.05]}
    dims = (*over, "realization")
    filled = np.where(np.isnan(rmse), np.inf, rmse)
    median = np.median(filled, axis=-1)
    scores = dict.fromkeys(("rmse", "rmse_pooled", "spread", "lost_fraction"), (dims, rmse))
    status = np.where(np.isnan(rmse), 2, 0) if status is None else status
    return xr.Dataset(
        {**scores, "status": (dims, status), "rmse_median": (tuple(over), np.where(np.isinf(median), np.nan, median))},
        coords=over,
        attrs={"by": json.dumps(by)},
    )


def test_a_sweep_has_rows_of_its_best_settings_by_the_median():
    file = sweep_file([[0.3, 0.4, 0.31], [0.2, 0.9, 0.25]])
    row = by_name(scorecard({}, {}, {}, None, {"s": {"etkf": file}}))["s/etkf/rmse"]
    assert row.value == 0.25
    assert row.uncertainty == pytest.approx(
        np.sqrt(np.pi / 2) * np.std([0.2, 0.9, 0.25], ddof=1) / np.sqrt(3), rel=1e-3
    )
    assert row.source == "inflation 1.05, the best of 2"


def test_a_sweep_has_rows_for_each_value_by_which_it_is_told_apart_and_claims_hold_them():
    file = sweep_file([[[0.5, 0.5, 0.6]] * 2, [[0.2, 0.2, 0.2], [0.3, 0.3, 0.3]]], by=["members"])
    rows = by_name(scorecard({}, {}, {}, {"s/a/members=20/rmse": claim(0.2, tolerance=0.01)}, {"s": {"a": file}}))
    assert rows["s/a/members=10/rmse"].value == 0.5
    assert rows["s/a/members=20/rmse"].passed
    assert "s/a/rmse" not in rows


def test_a_claim_about_two_rows_is_held_against_their_ratio():
    files = {"s": {"a": analysis_scores(0.3), "b": analysis_scores(0.2)}}
    name = "s/a/rmse over s/b/rmse"
    row = by_name(scorecard(files, {}, {}, {name: claim(1.4, relation="at_most")}))[name]
    rows = by_name(scorecard(files, {}, {}))
    relative = [rows[f"s/{n}/rmse"].uncertainty / rows[f"s/{n}/rmse"].value for n in "ab"]
    assert row.value == pytest.approx(1.5) and row.passed is False
    assert row.uncertainty == pytest.approx(1.5 * np.hypot(*relative))


def test_a_search_has_rows_for_its_choice_its_cost_and_its_nested_score():
    search = xr.Dataset(
        {
            "mean_score": (("trial", "budget"), [[0.5, np.nan], [0.4, 0.3], [0.3, 0.2]]),
            "standard_error": (("trial", "budget"), [[0.0, np.nan], [0.0, 0.02], [0.0, 0.01]]),
            "evaluation": (("trial", "budget"), [[0, -1], [1, 3], [2, 4]]),
            "best": ((), 2),
            "nested_score": ("outer", [0.2, 0.4]),
        },
        coords={"budget": [1, 4]},
        attrs={"objective": "rollout", "edges": '["alpha"]'},
    )
    rows = by_name(scorecard({}, {}, {}, tuning={"s": {"ridge": search}}))
    assert (rows["s/ridge/search_score"].value, rows["s/ridge/search_score"].uncertainty) == (0.2, 0.01)
    assert "alpha on the edge" in rows["s/ridge/search_score"].source
    assert rows["s/ridge/search_cost"].value == pytest.approx(3 / 4 + 2)
    assert rows["s/ridge/nested_score"].value == pytest.approx(0.3)


def test_a_diverged_realization_counts_as_the_worst_and_is_told():
    nan = float("nan")
    row = by_name(scorecard({}, {}, {}, None, {"s": {"a": sweep_file([[nan, nan, 0.1], [0.3, nan, 0.4]])}}))["s/a/rmse"]
    assert row.value == 0.4
    assert "1 of 3 realizations diverged" in row.source


def test_a_sweep_whose_realizations_mostly_diverged_has_failed():
    nan = float("nan")
    row = by_name(scorecard({}, {}, {}, None, {"s": {"a": sweep_file([[nan, nan, 0.1]] * 2)}}))["s/a/rmse"]
    assert math.isnan(row.value)
    assert row.passed is False
