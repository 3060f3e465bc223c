"""Files that users bring: both forms arrive at one layout, and what is wrong with them is said in one go."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from assimilearn import store
from assimilearn.errors import FileError
from assimilearn.models.geometry import ring
from assimilearn.observations import ObservationSettings, check_observations, ingest, ingest_truth, observe
from assimilearn.observations.record_settings import RecordSettings
from assimilearn.periods import Periods, period_flags

README = Path(__file__).parents[2] / "data" / "README.md"
PERIODS = Periods(spinup=2, train=20, gap=2, validation=5, test=9)
COUNT = PERIODS.total
TIMES = 0.05 * np.arange(1, COUNT + 1)


def grid(times=TIMES, size=40, **variables) -> xr.Dataset:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((len(times), size))
    values[rng.random(values.shape) < 0.5] = np.nan
    return xr.Dataset(
        {"observations": (("time", "site"), values), **variables}, coords={"time": times}, attrs={"error_std": 0.5}
    )


def rows() -> xr.Dataset:
    """The padded form, from the writer's own side."""
    truth = xr.Dataset(
        {"state": (("time", "site"), np.random.default_rng(1).standard_normal((COUNT, 40)))},
        coords={"time": TIMES, "period": ("time", period_flags(PERIODS))},
        attrs={"time_step": 0.05},
    )
    return observe(truth, ObservationSettings(missing=0.3), np.random.default_rng(2))


def taken(dataset, periods=PERIODS, **options) -> xr.Dataset:
    return ingest(dataset, periods, RecordSettings(**options), ring(40), 0.05)


def back_on_grid(observations: xr.Dataset, name="value", size=40) -> np.ndarray:
    result = np.full((observations.sizes["time"], size), np.nan)
    time, entry = np.nonzero(observations["valid"].values)
    result[time, observations["site_index"].values[time, entry]] = observations[name].values[time, entry]
    return result


def test_a_grid_keeps_every_value_at_its_time_and_site():
    found = taken(grid())
    check_observations(found, 40, 0.05)
    np.testing.assert_array_equal(back_on_grid(found), grid()["observations"])
    np.testing.assert_array_equal(found["period"], period_flags(PERIODS))
    assert found.attrs == {"size": 40, "time_step": 0.05, "interval": 0.05}


def test_the_row_is_as_wide_as_the_busiest_time():
    found = taken(grid())
    assert found.sizes["observation"] == int(np.isfinite(grid()["observations"]).sum("site").max())


def test_the_order_of_the_dimensions_does_not_matter():
    assert taken(grid().transpose("site", "time")).identical(taken(grid()))


def test_rows_written_by_the_project_come_back_as_they_were(tmp_path):
    store.write(rows(), tmp_path / "observations.nc")
    assert taken(store.read(tmp_path / "observations.nc")).identical(rows())


def test_rows_without_a_mask_take_nan_for_padding():
    assert taken(rows().drop_vars("valid")).identical(rows())


def test_rows_may_hold_gaps_anywhere():
    shuffled = rows().isel(observation=slice(None, None, -1))
    found = taken(shuffled)
    check_observations(found, 40, 0.05)
    np.testing.assert_array_equal(back_on_grid(found), back_on_grid(rows()))


def test_a_time_without_observations_is_kept():
    dataset = grid()
    dataset["observations"][4] = np.nan
    found = taken(dataset)
    assert found["valid"][4].sum() == 0 and found.sizes["time"] == COUNT
    check_observations(found, 40, 0.05)


@pytest.mark.parametrize(
    ("std", "expected"),
    [
        (((), 0.7), np.full((COUNT, 40), 0.7)),
        (("site", np.linspace(1, 2, 40)), np.tile(np.linspace(1, 2, 40), (COUNT, 1))),
        (("time", np.linspace(1, 2, COUNT)), np.tile(np.linspace(1, 2, COUNT)[:, None], 40)),
        ((("site", "time"), np.arange(1.0, 40 * COUNT + 1).reshape(40, COUNT)), None),
    ],
)
def test_error_std_may_vary_with_site_and_time(std, expected):
    if expected is None:
        expected = std[1].T
    found = back_on_grid(taken(grid(error_std=std)), "error_std")
    seen = np.isfinite(found)
    np.testing.assert_array_equal(found[seen], expected[seen])


def test_error_std_comes_from_the_settings_then_a_variable_then_an_attribute():
    on_variable = grid().drop_attrs()
    on_variable["observations"].attrs["error_std"] = 0.3
    cases = [
        (taken(grid(error_std=0.7), error_std=0.9), 0.9),
        (taken(grid(error_std=0.7)), 0.7),
        (taken(grid()), 0.5),
        (taken(on_variable), 0.3),
    ]
    for found, expected in cases:
        assert float(found["error_std"].max()) == expected


def test_a_longer_file_gives_its_first_times():
    longer = grid(times=0.05 * np.arange(1, COUNT + 11))
    np.testing.assert_array_equal(back_on_grid(taken(longer)), longer["observations"][:COUNT])


def test_a_shorter_file_says_how_many_times_it_has_and_how_many_are_asked_for():
    with pytest.raises(FileError, match=rf"there are 30 observation times; the periods ask for {COUNT}: shorten them"):
        taken(grid().isel(time=slice(30)))


def test_irregular_times_are_kept_and_have_no_interval():
    times = 0.05 * np.sort(np.random.default_rng(3).choice(500, COUNT, replace=False))
    found = taken(grid(times=times))
    np.testing.assert_allclose(found["time"], times, atol=1e-12)
    assert "interval" not in found.attrs


def test_times_in_single_precision_are_put_on_the_clock_of_the_model():
    found = taken(grid(times=(1000 + TIMES).astype(np.float32)))
    np.testing.assert_array_equal(found["time"], 0.05 * np.arange(20001, 20001 + COUNT))


def change(dataset, name, index, value) -> xr.Dataset:
    changed = dataset.copy(deep=True)
    changed[name].values[index] = value
    return changed


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (grid().drop_vars("time"), "need the coordinate time"),
        (xr.Dataset({"y": ("time", TIMES)}, {"time": TIMES}), "the file holds time, y"),
        (grid(size=30), "there are 30 sites; the model has 40: a coordinate `site`"),
        (grid().rename(site="x"), r"observations must hold numbers with the dimensions time, site; found is"),
        (grid().drop_attrs(), "error_std is neither in the file"),
        (grid(error_std=-1.0), "error_std is not a positive finite number"),
        (grid(error_std=("member", [1.0, 2.0])), "error_std must be one number, or numbers along time, site"),
        (grid(error_std="one"), "error_std must be one number"),
        (change(grid(), "observations", (3, 5), np.inf), "value is not finite: 1 times, first at time index 3"),
        (grid().assign(observations=grid()["observations"] * np.nan), "there is not a single valid observation"),
        (grid(times=TIMES[::-1]), "times must increase"),
        (grid(times=TIMES + 0.02), "not a multiple of the model's time step"),
        (
            grid(times=np.datetime64("2020-01-01", "ns") + np.arange(COUNT)),
            "time must hold numbers, in MTU or with a unit",
        ),
        (
            change(rows(), "site_index", (5, 0), 40),
            "site_index is not one of the sites 0 to 39: 1 times, first at time",
        ),
        (change(rows(), "value", (5, 1), np.nan), "value is not finite: 1 times, first at time index 5"),
        (rows().assign(site_index=rows()["site_index"] + 0.5), "site_index is not one of the sites"),
        (change(rows(), "valid", (5, 1), 2), "valid is neither 0 nor 1"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_clear_error(dataset, message):
    with pytest.raises(FileError, match=message):
        taken(dataset)


def test_all_problems_are_listed_at_once():
    bad = change(change(rows(), "site_index", (5, 0), -3), "value", (7, 0), np.inf)
    bad = change(bad, "error_std", (8, 0), 0.0).assign_coords(time=TIMES + 0.01)
    for attempt in (taken, lambda dataset: check_observations(dataset, 40, 0.05)):
        with pytest.raises(FileError) as caught:
            attempt(bad)
        assert len(re.findall(r"^  - ", str(caught.value), flags=re.MULTILINE)) == 4
        for words in ("not a multiple", "site_index is not one", "value is not finite", "error_std is not a positive"):
            assert words in str(caught.value)


def test_checks_name_every_missing_variable_and_wrong_dimension():
    bad = rows().drop_vars(["error_std", "valid"]).assign(value=("time", TIMES))
    with pytest.raises(FileError) as caught:
        check_observations(bad, 40)
    for words in ("no variable error_std", "no variable valid", r"value has the dimensions ('time',)"):
        assert words in str(caught.value)


def test_checks_refuse_padding_before_valid_entries():
    with pytest.raises(FileError, match="valid entries must come first"):
        check_observations(rows().isel(observation=slice(None, None, -1)), 40)


def test_checks_without_a_step_still_want_increasing_times():
    check_observations(rows().assign_coords(time=TIMES + 0.01), 40)
    with pytest.raises(FileError, match="times must be finite and increase"):
        check_observations(rows().assign_coords(time=TIMES[::-1]), 40)


def truth_file(count=200, size=40) -> xr.Dataset:
    states = np.random.default_rng(4).standard_normal((count, size))
    return xr.Dataset({"state": (("time", "site"), states)}, coords={"time": 0.025 * np.arange(count)})


def truth_taken(dataset) -> xr.Dataset:
    times = {"time": TIMES, "period": ("time", period_flags(PERIODS))}
    return ingest_truth(dataset, xr.Dataset(coords=times, attrs={"size": 40, "time_step": 0.05}))


def test_a_truth_is_taken_at_the_observation_times():
    found = truth_taken(truth_file())
    np.testing.assert_array_equal(found["state"], truth_file()["state"][2 : 2 * COUNT + 2 : 2])
    np.testing.assert_array_equal(found["time"], TIMES)
    np.testing.assert_array_equal(found["period"], period_flags(PERIODS))
    assert found.attrs == {"size": 40, "time_step": 0.05}


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (truth_file().rename(state="x"), r"needed as state\(time, site\)"),
        (truth_file(size=30), "there are 30 sites; the model has 40"),
        (truth_file(count=21), f"{COUNT - 10} of {COUNT} observation times are absent, first 0.55 MTU"),
        (truth_file(count=1), f"{COUNT} of {COUNT} observation times are absent"),
        (change(truth_file(), "state", (4, 0), np.nan), "state is missing or not finite in 1 places, first at 0.1 MTU"),
        (truth_file().isel(time=slice(None, None, -1)), "times must be finite and increase"),
    ],
)
def test_a_truth_that_cannot_be_used_is_one_clear_error(dataset, message):
    with pytest.raises(FileError, match=message):
        truth_taken(dataset)


def test_the_example_of_the_readme_writes_a_file_that_is_taken(tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    subprocess.run([sys.executable, "-c", example], cwd=tmp_path, check=True)
    found = taken(store.read(tmp_path / "observations.nc"), Periods(spinup=0, train=300, gap=0, validation=0, test=100))
    check_observations(found, 40, 0.05)
    assert float(found["valid"].mean("time").sum()) == pytest.approx(20, abs=1)
    assert (found["error_std"].values[found["valid"] == 1] == 1).all()


def test_what_is_observed_and_how_errors_are_correlated_is_handed_on():
    told = {"operator": '{"function": "square"}', "error_correlation_length": 2.5}
    found = taken(grid().assign_attrs(told))
    assert told.items() <= found.attrs.items()
    for bad in ({"operator": "cube"}, {"error_correlation_length": -1.0}):
        with pytest.raises(FileError, match=f"the attribute {next(iter(bad))}"):
            taken(grid().assign_attrs(bad))
