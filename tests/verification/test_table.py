"""The table of the README shows the rows of the scorecard, and nothing that is not there."""

from assimilearn.verification.scorecards import Row
from assimilearn.verification.table import markdown


def test_values_stand_with_their_uncertainty_and_a_missing_one_is_a_dash():
    rows = [
        Row("base/blue/rmse", 0.95, 0.01),
        Row("base/etkf/rmse", 0.28, 0.002),
        Row("base/etkf/spread", 0.3),
        Row("base/cnn/valid_time_lyapunov", float("nan")),
    ]
    lines = markdown(rows).splitlines()
    assert "| blue | 0.950 ± 0.010 | - | - | - |" in lines
    assert "| etkf | 0.280 ± 0.002 | - | - | 0.300 |" in lines
    assert "| cnn | - | - |" in lines


def test_a_lower_bound_says_so():
    row = Row("base/l96/valid_time_lyapunov", 8.6, source="lower bound: 3 of 9 forecasts still valid at 5 MTU")
    assert "| l96 | > 8.60 | - |" in markdown([row]).splitlines()


def test_nodes_carry_their_scenario_where_there_are_several():
    text = markdown([Row("quiet/etkf/rmse", 0.2), Row("noisy/etkf/rmse", 0.5)])
    assert "| quiet/etkf |" in text
    assert "| noisy/etkf |" in text
