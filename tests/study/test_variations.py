"""What the scenarios of a study vary, and what they do not."""

from assimilearn.study.scenarios import resolve
from assimilearn.study.variations import variations

STUDY = {"study": "example", "analyses": {"etkf": {"method": "etkf"}}}


def varied(**scenarios):
    return variations(resolve(STUDY | {"scenarios": scenarios}).scenarios)


def test_each_setting_has_its_scenarios_and_the_usual_ones():
    found = varied(
        usual={},
        again={"seed": 1},
        noisy={"observations": {"error_std": 2.0}},
        short={"periods": {"train": 500}, "seed": 1},
    )
    train = resolve(STUDY).scenarios["base"].periods.train
    assert found == {
        "observations.error_std": {"usual": 1.0, "again": 1.0, "noisy": 2.0},
        "periods.train": {"usual": train, "again": train, "short": 500},
    }


def test_a_scenario_that_varies_two_settings_is_on_neither_axis():
    both = {"observations": {"error_std": 3.0}, "periods": {"train": 500}}
    found = varied(usual={}, noisy={"observations": {"error_std": 2.0}}, again={"seed": 1}, both=both)
    assert found == {"observations.error_std": {"usual": 1.0, "noisy": 2.0, "again": 1.0}}


def test_seeds_words_and_nodes_that_come_and_go_are_no_variation():
    localized = {"analyses": {"letkf": {"method": "letkf"}}}
    found = varied(usual={}, again={"seed": 1, "figures": []}, localized=localized, tapered={"seed": 3})
    assert found == {}
