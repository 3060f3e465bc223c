"""What a file says about itself is obeyed or refused by name: missing values, packing, times, sites, forms."""

import netCDF4
import numpy as np
import pytest
import xarray as xr

from assimilearn.errors import FileError
from assimilearn.models.geometry import ring
from assimilearn.observations import ingest, ingest_truth
from assimilearn.observations.brought import read_brought
from assimilearn.observations.dates import duration_of
from assimilearn.observations.record_settings import RecordSettings
from assimilearn.periods import Periods

PERIODS = Periods(spinup=1, train=4, gap=0, validation=2, test=3)
TIMES = 0.05 * np.arange(10)
SITES = 6
VALUES = np.round(2.3 + 3.6 * np.random.default_rng(0).standard_normal((10, SITES)), 3)
VALUES[np.random.default_rng(1).random(VALUES.shape) < 0.4] = np.nan
CLIMATE = xr.Dataset({"mean": ("site", np.full(SITES, 2.3)), "std": ("site", np.full(SITES, 3.6))})


@pytest.fixture
def brought(tmp_path):
    """Write a file with netCDF4 and ingest it: ``name -> (dims, values, attributes)``."""

    def take(variables, attributes=(("error_std", 1.0),), fill=None, **options):
        path = tmp_path / "brought.nc"
        with netCDF4.Dataset(path, "w") as file:
            for dims, values, _ in variables.values():
                for dim, size in zip(dims, np.shape(values), strict=True):
                    if dim not in file.dimensions:
                        file.createDimension(dim, size)
            for name, (dims, values, told) in variables.items():
                values = np.asarray(values)
                kind = str if values.dtype.kind in "UO" else values.dtype
                fill_value = told.get("_FillValue", False if kind is not str else None)
                target = file.createVariable(name, kind, dims, fill_value=fill_value)
                target.set_auto_maskandscale(False)
                target.setncatts({k: v for k, v in told.items() if k != "_FillValue"})
                target[...] = values
            file.setncatts(dict(attributes))
        return ingest(read_brought(path), PERIODS, RecordSettings(**options), ring(SITES), 0.05, CLIMATE)

    return take


def grid(values=VALUES, told=None, times=TIMES, **time_attributes):
    return {
        "observations": (("time", "site"), values, told or {}),
        "time": (("time",), times, time_attributes or {"units": "MTU"}),
    }


def on_grid(found):
    """Values (time, site), NaN where there is none."""
    dense = np.full(VALUES.shape, np.nan)
    for k, o in np.argwhere(found["valid"].values == 1):
        dense[k, found["site_index"].values[k, o]] = found["value"].values[k, o]
    return dense


def test_the_plain_file_is_taken_as_it_is(brought):
    np.testing.assert_array_equal(on_grid(brought(grid())), VALUES)


def marked(value, dtype=np.float64):
    return np.where(np.isnan(VALUES), value, VALUES).astype(dtype)


@pytest.mark.parametrize(("values", "told"), [
    (marked(netCDF4.default_fillvals["f8"]), {}),
    (marked(netCDF4.default_fillvals["f4"], np.float32), {}),
    (marked(-999.0), {"missing_value": -999.0}),
    (marked(-999.0), {"_FillValue": -999.0}),
    (marked(1e20), {"valid_max": 100.0}),
    (marked(-1e3), {"valid_min": -100.0}),
    (marked(-1e3), {"valid_range": np.array([-50.0, 50.0])}),
    (np.where(np.isnan(VALUES), np.where(np.arange(SITES) % 2, -999.0, -888.0), VALUES),
     {"missing_value": np.array([-999.0, -888.0])}),
    (np.where(np.isnan(VALUES), -32768, np.rint(VALUES * 1000)).astype(np.int16),
     {"_FillValue": np.int16(-32768), "scale_factor": 0.001}),
    (np.where(np.isnan(VALUES), 65535, np.rint((VALUES + 20) * 1000)).astype(np.uint16).view(np.int16),
     {"_FillValue": np.int16(-1), "_Unsigned": "true", "scale_factor": 0.001, "add_offset": -20.0}),
])  # fmt: skip
def test_every_declared_way_of_missing_values_is_honoured(brought, values, told):
    np.testing.assert_allclose(on_grid(brought(grid(values, told))), VALUES, atol=1e-6)


@pytest.mark.parametrize(("sentinel", "shown"), [(-999.0, "-999"), (1e20, r"1e\+20"), (9999.0, "9999")])
def test_a_sentinel_that_is_not_declared_is_refused_with_value_count_and_place(brought, sentinel, shown):
    count = np.isnan(VALUES).sum()
    with pytest.raises(
        FileError, match=rf"{count} values lie more than 20 .* first value {shown} at 0 MTU: .*declare it"
    ):
        brought(grid(marked(sentinel)))


def test_a_strange_value_is_told_and_kept(brought, caplog):
    values = VALUES.copy()
    values[3, 2] = 40.0
    assert on_grid(brought(grid(values)))[3, 2] == 40.0
    assert (
        "1 value lies more than 8 standard deviations from the climatology, first value 40 at 0.15 MTU" in caplog.text
    )


HOURS = np.arange(10) * 0.3


@pytest.mark.parametrize(("times", "told"), [
    (HOURS, {"units": "hours"}),
    (HOURS, {"units": "hr"}),
    (HOURS * 3600, {"units": "seconds since 2020-01-01", "calendar": "noleap"}),
    (HOURS / 24 + 10, {"units": "days since 1900-01-01 00:00:00", "calendar": "360_day"}),
    (HOURS * 60, {"units": "minutes since 2020-02-28"}),
    (np.rint(HOURS * 3600).astype(np.int64), {"units": "seconds since 2020-01-01", "calendar": "proleptic_gregorian"}),
])  # fmt: skip
def test_physical_times_are_converted_by_a_stated_unit_and_refused_without(brought, times, told):
    with pytest.raises(FileError, match=rf"time is in '{told['units']}': say how long one model time unit is"):
        brought(grid(times=times, **told))
    found = brought(grid(times=times, **told), time_unit="6 hours")
    np.testing.assert_allclose(found["time"], TIMES, atol=1e-12)
    assert ("time_reference" in found.attrs) == ("since" in told["units"])


@pytest.mark.parametrize("units", ["MTU", "mtu", "1", "", "model time units"])
def test_model_times_need_no_unit(brought, units):
    np.testing.assert_allclose(brought(grid(units=units))["time"], TIMES)


@pytest.mark.parametrize(("units", "what"), [
    ("months since 2020-01-01", "no unit of a fixed length"),
    ("days since yesterday", "the dates of time cannot be read"),
    ("metres", "no unit of a fixed length"),
])  # fmt: skip
def test_times_that_mean_nothing_are_refused_by_name(brought, units, what):
    with pytest.raises(FileError, match=what):
        brought(grid(units=units), time_unit="1 hour")


def test_times_of_text_are_dates_or_refused(brought):
    with pytest.raises(FileError, match=r"the date '0.0' cannot be read: write it as 2013-01-31"):
        brought(grid(times=np.array([str(t) for t in TIMES])))
    dates = np.array([f"2020-02-28T{18 + k:02d}:00" for k in range(6)] + [f"2020-02-29 {k:02d}:00" for k in range(4)])
    found = brought(grid(times=dates), time_unit="20 hours")
    np.testing.assert_allclose(found["time"], TIMES, atol=1e-12)
    assert found.attrs["time_reference"] == "2020-02-28 18:00:00"


@pytest.mark.parametrize(("start", "exact"), [(800, True), (20_000, True), (2_000_000, False)])
def test_times_in_single_precision_are_taken_within_their_precision(brought, start, exact):
    times = (start + TIMES).astype(np.float32)
    if exact:
        np.testing.assert_allclose(brought(grid(times=times))["time"], start + TIMES, rtol=1e-12)
    else:
        with pytest.raises(FileError, match="kept in single precision"):
            brought(grid(times=times))


def test_the_coordinate_of_the_sites_orders_them(brought):
    order = np.random.default_rng(2).permutation(SITES)
    variables = grid(VALUES[:, order]) | {"site": (("site",), order, {})}
    np.testing.assert_array_equal(on_grid(brought(variables)), VALUES)


def test_some_sites_are_enough_if_the_coordinate_names_them(brought):
    variables = grid(VALUES[:, [4, 1]]) | {"site": (("site",), np.array([4.0, 1.0]), {})}
    found = on_grid(brought(variables))
    np.testing.assert_array_equal(found[:, [1, 4]], VALUES[:, [1, 4]])
    assert np.isnan(found[:, [0, 2, 3, 5]]).all()


@pytest.mark.parametrize(("named", "what"), [
    (np.arange(1, SITES + 1), "the coordinate site holds 6, which is not one of the sites 0 to 5"),
    (np.array([0, 1, 2, 3, 4, 4]), "holds 4 twice"),
    (np.array([0, 1, 2, 3, 4, 4.5]), "holds 4.5"),
    (np.array(list("abcdef")), "holds text"),
])  # fmt: skip
def test_a_coordinate_that_is_no_site_is_refused_by_name(brought, named, what):
    with pytest.raises(FileError, match=what):
        brought(grid() | {"site": (("site",), named, {})})


def test_dimensions_may_stand_in_any_order(brought):
    variables = grid() | {"observations": (("site", "time"), VALUES.T.copy(), {})}
    np.testing.assert_array_equal(on_grid(brought(variables)), VALUES)


def rows(index_fill=None, valid_told=None):
    """The same as padded rows."""
    width = int((~np.isnan(VALUES)).sum(axis=1).max())
    value, site, valid = np.full((10, width), np.nan), np.full((10, width), -1), np.zeros((10, width), np.int8)
    for k in range(10):
        there = np.flatnonzero(~np.isnan(VALUES[k]))
        value[k, : there.size], site[k, : there.size], valid[k, : there.size] = VALUES[k, there], there, 1
    dims = ("time", "observation")
    found = {"value": (dims, value, {}), "site_index": (dims, site, {} if index_fill is None else {"_FillValue": -1})}
    if valid_told is not None:
        found["valid"] = (dims, valid, valid_told)
    return found | {"time": (("time",), TIMES, {})}


@pytest.mark.parametrize("variables", [
    rows(valid_told={}),
    rows(valid_told={"_FillValue": np.int8(0)}),
    rows(index_fill=-1),
    rows(index_fill=-1, valid_told={}),
])  # fmt: skip
def test_padding_may_be_marked_in_any_declared_way(brought, variables):
    np.testing.assert_array_equal(on_grid(brought(variables)), VALUES)


def test_a_list_along_one_dimension_is_read_in_any_order(brought):
    k, site = np.nonzero(~np.isnan(VALUES))
    mixed = np.random.default_rng(3).permutation(k.size)
    found = brought({
        "value": (("obs",), VALUES[k, site][mixed], {}),
        "site_index": (("obs",), site[mixed], {}),
        "time": (("obs",), TIMES[k][mixed], {}),
    })  # fmt: skip
    np.testing.assert_array_equal(on_grid(found), VALUES)


def test_groups_are_refused_saying_what_form_is_expected(tmp_path):
    with netCDF4.Dataset(tmp_path / "ioda.nc", "w") as file:
        file.createDimension("Location", 3)
        file.createGroup("ObsValue").createVariable("x", "f8", ("Location",))
    with pytest.raises(FileError, match=r"groups \(ObsValue\); bring observations\(time, site\)"):
        read_brought(tmp_path / "ioda.nc")


def two_reports(second, std=1.0):
    """Rows with two reports of site 2 at the second time."""
    dims = ("time", "observation")
    value, site = np.full((10, 2), np.nan), np.zeros((10, 2), int)
    value[:, 0], site[:, 0], value[1, 1], site[1, :] = 1.0, np.arange(10) % SITES, second, 2
    deviation = np.ones((10, 2))
    deviation[1, 1] = std
    return {
        "value": (dims, value, {}),
        "site_index": (dims, site, {}),
        "error_std": (dims, deviation, {}),
        "time": (("time",), TIMES, {}),
    }


@pytest.mark.parametrize("std", [1.0, 0.5])
def test_two_reports_of_a_site_are_merged_by_their_errors(brought, caplog, std):
    found = brought(two_reports(2.0, std))
    weight = 1 / std**2
    assert found["valid"].values[1].tolist() == [1] and found["value"].values[1, 0] == (1 + 2 * weight) / (1 + weight)
    assert found["error_std"].values[1, 0] == pytest.approx((1 + weight) ** -0.5)
    assert "1 reports of a site that had another at the same time were merged with it" in caplog.text


def test_a_few_reports_that_contradict_each_other_are_merged_and_told(brought, caplog):
    assert brought(two_reports(12.0))["value"].values[1, 0] == 6.5
    assert "they differ by 7.8 times their errors" in caplog.text


def test_many_reports_that_contradict_each_other_are_refused(brought):
    variables = rows()
    variables["site_index"][1][:, 1] = variables["site_index"][1][:, 0]  # as where sites were counted wrongly
    with pytest.raises(FileError, match="times their errors: does site_index count from 0"):
        brought(variables, attributes=[("error_std", 0.1)])


def test_a_sentinel_in_most_places_is_found_without_a_climatology(tmp_path):
    with netCDF4.Dataset(tmp_path / "x.nc", "w") as file:
        file.createDimension("time", 10), file.createDimension("site", SITES)
        file.createVariable("time", "f8", ("time",))[:] = TIMES
        file.createVariable("observations", "f8", ("time", "site"))[:] = np.where(VALUES > 4, VALUES, -999.0)
        file.error_std = 1.0
    with pytest.raises(FileError, match="from the record's own middle, first value -999"):
        ingest(read_brought(tmp_path / "x.nc"), PERIODS, RecordSettings(), ring(SITES), 0.05)


@pytest.mark.parametrize(("error_std", "told", "what"), [
    (4.0, {"long_name": "observation error variance"}, "calls itself 'observation error variance'"),
    (1.0, {"units": "K"}, "error_std is in 'K' and observations in 'degC'"),
])  # fmt: skip
def test_an_error_that_is_no_standard_deviation_of_the_values_is_refused(brought, error_std, told, what):
    variables = grid(told={"units": "degC"}) | {"error_std": ((), np.array(error_std), told)}
    with pytest.raises(FileError, match=what):
        brought(variables)


def test_units_of_the_values_are_kept(brought):
    assert brought(grid(told={"units": "degC"}))["value"].attrs["units"] == "degC"


def test_quality_flags_are_not_guessed(brought):
    flags = {"flag_values": np.array([0, 1], np.int8), "flag_meanings": "good bad"}
    variables = grid(told={"ancillary_variables": "qc"})
    variables |= {"qc": (("time", "site"), np.zeros(VALUES.shape, np.int8), flags)}
    with pytest.raises(FileError, match="observations has the quality flags qc"):
        brought(variables)


@pytest.mark.parametrize("content", [b"", b"CDF\x05", b"\x89HDF\r\n\x1a\n" + bytes(64), b"time,site\n"])
def test_what_is_no_netcdf_is_one_sentence(tmp_path, content):
    (tmp_path / "x.nc").write_bytes(content)
    with pytest.raises(FileError, match=r"cannot be read as NetCDF|is empty"):
        read_brought(tmp_path / "x.nc")


TRUTH = 2.3 + 3.6 * np.random.default_rng(5).standard_normal((10, SITES))


def truth(times=TIMES, states=TRUTH, **told):
    return xr.Dataset({"state": (("time", "site"), states)}, {"time": ("time", times, told)})


def test_a_truth_with_dates_meets_observations_with_dates(brought):
    observed = brought(grid(times=HOURS, units="hours since 2020-01-02"), time_unit="6 hours")
    found = ingest_truth(truth(HOURS + 24, units="hours since 2020-01-01"), observed, CLIMATE)
    np.testing.assert_array_equal(found["state"], TRUTH)
    with pytest.raises(FileError, match="10 of 10 observation times are absent"):
        ingest_truth(truth(HOURS, units="hours since 2020-01-03"), observed, CLIMATE)
    with pytest.raises(FileError, match="calendar 'noleap', the observations have 'standard'"):
        ingest_truth(truth(HOURS, units="hours since 2020-01-02", calendar="noleap"), observed, CLIMATE)


def test_a_truth_with_missing_or_impossible_states_is_refused(brought):
    observed = brought(grid())
    for value, what in ((np.nan, "missing or not finite in 1 places, first at 0.1 MTU"), (1e9, r"first state 1e\+09")):
        states = TRUTH.copy()
        states[2, 3] = value
        with pytest.raises(FileError, match=what):
            ingest_truth(truth(states=states), observed, CLIMATE)
    with pytest.raises(FileError, match="time is in 'days': say how long"):
        ingest_truth(truth(units="days"), observed, CLIMATE)


@pytest.mark.parametrize(
    ("text", "seconds"), [("6 hours", 21600.0), ("0.5 days", 43200.0), ("s", 1.0), ("5 min", 300.0)]
)
def test_durations_are_read(text, seconds):
    assert duration_of(text) == (seconds, None)


def test_months_and_years_are_those_of_the_calendar():
    assert duration_of("3 months") == (None, 3) and duration_of("year") == (None, 12)


@pytest.mark.parametrize("text", ["", "6", "-1 hours", "0.5 months", "six hours", "nan days", "1e400 s"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="expected a number and a unit"):
        duration_of(text)
