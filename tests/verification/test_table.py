"""The table of the README shows the rows of the scorecard, and nothing that is not there."""

import pytest

from assimilearn.verification.scorecards import Row
from assimilearn.verification.table import claims, medians, models, scores


def test_values_stand_with_their_uncertainty_and_a_missing_one_is_a_dash():
    rows = [
        Row("base/blue/rmse", 0.95, 0.01),
        Row("base/etkf/rmse", 0.28, 0.002),
        Row("base/etkf/spread", 0.3),
        Row("base/cnn/valid_time_lyapunov", float("nan")),
    ]
    lines = scores(rows).splitlines()
    assert "| blue | 0.950 ± 0.010 | - | - | - |" in lines
    assert "| etkf | 0.280 ± 0.002 | - | - | 0.300 |" in lines
    assert "| cnn | - | - |" in lines


def test_a_lower_bound_says_so():
    row = Row("base/l96/valid_time_lyapunov", 8.6, source="lower bound: 3 of 9 forecasts still valid at 5 MTU")
    assert "| l96 | > 8.60 | - |" in scores([row]).splitlines()


def test_nodes_carry_their_scenario_where_there_are_several():
    text = scores([Row("quiet/etkf/rmse", 0.2), Row("noisy/etkf/rmse", 0.5)])
    assert "| quiet/etkf |" in text
    assert "| noisy/etkf |" in text


def test_each_learned_analysis_stands_beside_the_same_method_with_the_true_model():
    rows = [
        Row("base/etkf/rmse", 0.28, 0.002),
        Row("base/etkf-cnn/rmse", 0.35, 0.003, bound=(0.28, 1.05)),
        Row("base/etkf-cnn/rmse_ratio", 1.25, 0.011),
        Row("base/orphan-cnn/rmse", 0.4, bound=(float("nan"), 1.05)),
    ]
    assert models(rows).splitlines()[2:] == ["| etkf-cnn | 0.280 | 0.350 ± 0.003 | 1.250 ± 0.011 |"]


def test_medians_stand_with_their_range_and_a_missing_scenario_is_told():
    rows = [Row(f"{scenario}/etkf/rmse", value) for scenario, value in zip("abc", (0.3, 0.2, 0.25), strict=True)]
    rows += [Row("a/cnn/rmse", 0.5), Row("b/cnn/rmse", float("nan")), Row("a/cnn/valid_time_lyapunov", 2.0)]
    lines = medians([*rows, Row("*/etkf/rmse", 0.25)]).splitlines()
    assert lines[0] == "| median (range) | rmse | valid time from analyses (LT) |"
    assert lines[2:] == ["| etkf | 0.250 (0.200 to 0.300) | - |", "| cnn | 0.500, 1 of 2 | 2.00 |"]


def test_rows_that_are_held_against_a_number_say_whether_they_agree():
    held = Row("a/etkf/rmse", 0.3, 0.01, published="<= 0.2", source="a paper", passed=False)
    assert claims([held, Row("a/etkf/spread", 0.3)]).splitlines()[2:] == [
        "| a/etkf/rmse | 0.300 ± 0.010 | <= 0.2 | **no** | a paper |"
    ]


@pytest.mark.parametrize(
    ("value", "uncertainty", "shown"),
    [
        (0.37648, 0.01284, "0.376 ± 0.013"),
        (0.37648, 0.0374, "0.38 ± 0.04"),
        (0.18072, 0.00098, "0.1807 ± 0.0010"),
        (12.345, 3.2, "12 ± 3"),
        (123.4, 19.7, "123 ± 20"),
        (0.5, 0.0, "0.500"),
    ],
)
def test_only_digits_that_hold_are_shown(value, uncertainty, shown):
    assert f"| a | {shown} | - | - | - |" in scores([Row("s/a/rmse", value, uncertainty)]).splitlines()
