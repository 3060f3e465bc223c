"""A record without a model: files as people have them, its sites, its clock, its cycles, its climatology."""

import netCDF4
import numpy as np
import pytest
import xarray as xr

from assimilearn.assimilation.background.of_analyses import climatology_of_analyses
from assimilearn.errors import FileError
from assimilearn.models.fields import fields
from assimilearn.models.geometry import Geometry, geometry_of, stations
from assimilearn.observations import ingest
from assimilearn.observations.climatology import RecordClimatology, climatology_of_record, sample_climatology
from assimilearn.observations.dates import Clock
from assimilearn.observations.record import read_record
from assimilearn.observations.record_settings import RecordSettings
from assimilearn.observations.seasonal import SeasonalCycle
from assimilearn.periods import Periods

PERIODS = Periods(spinup=0, train=30, gap=0, validation=5, test=5)
HOURS = np.arange(40)
VALUES = np.round(10 + np.random.default_rng(0).standard_normal((40, 3)), 3)
NAMES = ("north", "east", "west")
LATITUDE, LONGITUDE = [60.0, 50.0, 50.0], [0.0, 10.0, -10.0]


def taken(path, periods=PERIODS, **settings):
    settings = RecordSettings.model_validate({"error_std": 0.5, "time_unit": "1 hour", **settings})
    return ingest(read_record(path, settings), periods, settings)


def on_grid(found):
    dense = np.full((found.sizes["time"], found.attrs["size"]), np.nan)
    row, column = np.nonzero(found["valid"].values)
    dense[row, found["site_index"].values[row, column]] = found["value"].values[row, column]
    return dense


@pytest.fixture
def netcdf(tmp_path):
    """sst(time, station) as a buoy archive has it."""
    path = tmp_path / "buoys.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("obs_time", 40), file.createDimension("buoy", 3)
        time = file.createVariable("obs_time", "f8", ("obs_time",))
        time.units, time.calendar, time[:] = "hours since 1999-12-31 20:00", "noleap", HOURS
        for name, units, values in (("lat", "degrees_north", LATITUDE), ("lon", "degrees_east", LONGITUDE)):
            variable = file.createVariable(name, "f4", ("buoy",))
            variable.units, variable[:] = units, values
        label = file.createVariable("buoy_name", str, ("buoy",))
        label[:] = np.array(NAMES, dtype=object)
        sst = file.createVariable("sst", "f8", ("obs_time", "buoy"), fill_value=-99.0)
        sst.units, sst[:] = "degC", VALUES
        sst[7, 1] = np.ma.masked
    return path


def test_a_netcdf_file_of_stations_keeps_names_positions_units_and_dates(netcdf):
    found = taken(netcdf)
    expected = VALUES.copy()
    expected[7, 1] = np.nan
    np.testing.assert_array_equal(on_grid(found), expected)
    geometry = geometry_of(found.attrs)
    assert geometry.stations.names == NAMES and geometry.names == ["sst"] and geometry.units == "degC"
    assert geometry.is_sphere and not geometry.on_grid and not geometry.is_ring
    # the chord from 60 N, 0 E to 50 N, 10 E
    assert geometry.between(0, 1) == pytest.approx(1278, abs=5)
    assert found["time"].attrs["units"] == "MTU" and found.attrs["time_reference"] == "1999-12-31 20:00:00"
    dates = xr.decode_cf(found[["date"]])["date"].values
    assert str(dates[4]) == "2000-01-01 00:00:00" and dates[4].calendar == "noleap"


def test_a_table_in_long_form_is_the_same_record(netcdf, tmp_path):
    lines = ["Station;When;lat;lon;sst"]
    for k in HOURS:
        for s, name in enumerate(NAMES):
            date = f"2000-01-{1 + k // 24:02d} {k % 24:02d}:00"
            value = "NA" if (k, s) == (7, 1) else VALUES[k, s]
            lines.append(f"{name};{date};{LATITUDE[s]};{LONGITUDE[s]};{value}")
    (tmp_path / "buoys.csv").write_text("\n".join(lines))
    found = taken(tmp_path / "buoys.csv", names={"time": "When"})
    np.testing.assert_array_equal(on_grid(found), on_grid(taken(netcdf)))
    assert geometry_of(found.attrs).stations == geometry_of(taken(netcdf).attrs).stations
    with pytest.raises(
        FileError, match=r"no column is the time; there are Station, When, lat, lon, sst: name it under"
    ):
        taken(tmp_path / "buoys.csv")
    (tmp_path / "buoys.csv").write_text("\n".join([*lines, "west;2000-02-01;51;0;3"]))
    with pytest.raises(FileError, match="'west' has 2 different numbers as its latitude: a station stands still"):
        taken(tmp_path / "buoys.csv", names={"time": "When"})


def test_a_regular_grid_stays_one_and_a_grid_with_land_becomes_its_sea_points(tmp_path):
    values = np.random.default_rng(1).standard_normal((40, 2, 3))
    axes = {"time": ("time", HOURS, {"units": "hours since 2000-01-01"}), "lat": [10.0, 20.0], "lon": [0.0, 5.0, 10.0]}
    xr.Dataset({"height": (("time", "lat", "lon"), values)}, axes).to_netcdf(tmp_path / "grid.nc")
    found = taken(tmp_path / "grid.nc")
    geometry = geometry_of(found.attrs)
    assert geometry.on_grid and geometry.fields[0].shape == (2, 3)
    np.testing.assert_allclose(geometry.coordinates[4], [20.0, 5.0])
    np.testing.assert_array_equal(on_grid(found), values.reshape(40, 6))
    values[:, 1, 1] = np.nan
    xr.Dataset({"height": (("time", "lat", "lon"), values)}, axes).to_netcdf(tmp_path / "sea.nc")
    geometry = geometry_of(taken(tmp_path / "sea.nc").attrs)
    assert geometry.size == 5 and geometry.stations.names[-1] == "20 10"
    np.testing.assert_allclose(geometry.coordinates[-1], [20.0, 10.0])


def test_several_variables_are_fields_with_errors_of_their_own(tmp_path):
    rows = [f"{k},{s},{VALUES[k, s]},{1000 + VALUES[k, s]}" for k in HOURS for s in range(3)]
    (tmp_path / "two.csv").write_text("\n".join(["time,station,t,p", *rows]))
    options = {"variables": {"temperature": "t", "pressure": "p"}, "time_unit": None}
    found = taken(tmp_path / "two.csv", **options, error_std={"temperature": 0.5, "pressure": 2.0, "1": 3.0})
    np.testing.assert_array_equal(found["error_std"].values[0], [0.5, 3.0, 0.5, 2.0, 3.0, 2.0])
    named = fields(xr.Dataset({"state": (("time", "site"), on_grid(found))}, attrs=found.attrs))
    assert named["pressure"].dims == ("time", "station") and list(named["station"].values) == ["0", "1", "2"]
    np.testing.assert_allclose(named["pressure"] - named["temperature"], 1000)
    with pytest.raises(FileError, match="error_std: wind is neither a field nor a station"):
        taken(tmp_path / "two.csv", **options, error_std={"wind": 1.0})
    with pytest.raises(FileError, match=r"which column is observed\? There are t, p: name it under `variables`"):
        taken(tmp_path / "two.csv")


def test_times_that_are_absent_are_times_without_observations_and_odd_ones_are_refused(tmp_path):
    rows = [f"{k},{VALUES[k, 0]}" for k in HOURS if k not in (5, 6)]
    (tmp_path / "one.csv").write_text("\n".join(["time,value", *rows]))
    found = taken(tmp_path / "one.csv", time_units="hours since 2000-01-01")
    assert found.attrs["interval"] == 1.0 and found["valid"].values[[4, 5, 6, 7]].sum() == 2
    (tmp_path / "one.csv").write_text("\n".join(["time,value", *rows, "39.4,1"]))
    with pytest.raises(
        FileError, match=r"1 of 39 times are no multiples of 1 MTU after the first, first 2000-01-02 15:24"
    ):
        taken(tmp_path / "one.csv", time_units="hours since 2000-01-01")


@pytest.mark.parametrize("calendar", ["standard", "360_day"])
def test_monthly_means_are_one_calendar_month_apart_whatever_their_day(tmp_path, calendar):
    import cftime

    dates = [cftime.datetime(1990 + k // 12, k % 12 + 1, 14 + k % 3, calendar=calendar) for k in HOURS]
    days = cftime.date2num(dates, "days since 1900-01-01", calendar)
    time = ("time", days, {"units": "days since 1900-01-01", "calendar": calendar})
    xr.Dataset({"nino": ("time", VALUES[:, 0])}, {"time": time}).to_netcdf(tmp_path / "nino.nc")
    found = taken(tmp_path / "nino.nc", time_unit="1 month")
    np.testing.assert_array_equal(found["time"], HOURS)
    clock = Clock(None, found.attrs["time_reference"], found.attrs["time_calendar"], 1)
    assert clock.label == "months" and str(clock.dates(np.array([13.0]))[0]) == "1991-02-01 00:00:00"


def test_the_seasonal_and_diurnal_cycle_is_taken_out_and_kept(tmp_path):
    days = np.arange(0, 800, 0.25)
    cycle = 8 * np.cos(2 * np.pi * (days - 20) / 365.0) + 3 * np.sin(2 * np.pi * days)
    noise = 0.1 * np.random.default_rng(2).standard_normal(days.size)
    time = ("time", days, {"units": "days since 2001-01-01", "calendar": "noleap"})
    xr.Dataset({"t": ("time", 15 + cycle + noise)}, {"time": time}).to_netcdf(tmp_path / "t.nc")
    periods = Periods(spinup=0, train=2000, gap=0, validation=600, test=600)
    found = taken(tmp_path / "t.nc", periods, time_unit="1 day", seasonal_cycle=SeasonalCycle(harmonics=1, diurnal=1))
    np.testing.assert_allclose(found["seasonal_cycle"].values[:, 0], cycle, atol=0.03)
    assert found["value"].values.std() == pytest.approx(0.1, abs=0.01)
    np.testing.assert_allclose(
        found["value"].values + found["seasonal_cycle"].values, (15 + cycle + noise)[:, None], atol=1e-5
    )
    with pytest.raises(FileError, match="harmonics of the year cannot be told from its mean"):
        taken(tmp_path / "t.nc", time_unit="1 day", seasonal_cycle=SeasonalCycle(harmonics=1))


def test_what_is_withheld_is_of_the_test_period_and_of_nothing_that_is_kept(netcdf):
    settings = RecordSettings(error_std=0.5, time_unit="1 hour", withhold={"stations": ["east"], "values": 0.3})
    record = read_record(netcdf, settings)
    kept, gone = (
        on_grid(ingest(record, PERIODS, settings, rng=np.random.default_rng(3), part=part))
        for part in ("kept", "withheld")
    )
    assert not (np.isfinite(kept) & np.isfinite(gone)).any()
    np.testing.assert_array_equal(np.isfinite(kept) | np.isfinite(gone), np.isfinite(on_grid(taken(netcdf))))
    assert np.isnan(gone[:35]).all() and np.isnan(kept[35:, 1]).all() and np.isfinite(gone[35:, [0, 2]]).any()


def ar1(count, size, memory, rng):
    """Red noise of unit variance, correlated by 0.8 between neighbours."""
    root = np.linalg.cholesky(0.8 ** np.abs(np.subtract.outer(np.arange(size), np.arange(size))))
    states = np.zeros((count, size))
    for k in range(1, count):
        states[k] = memory * states[k - 1] + np.sqrt(1 - memory**2) * root @ rng.standard_normal(size)
    return states[50:]


def test_the_climatology_of_a_gappy_noisy_record_is_that_of_the_states():
    rng = np.random.default_rng(4)
    states = 5 + 2 * ar1(20_050, 4, 0.9, rng)
    seen = states + 1.0 * rng.standard_normal(states.shape)
    seen[rng.random(seen.shape) < 0.4] = np.nan
    places = {"x": np.arange(4.0), "y": np.zeros(4)}
    geometry = stations({"value": "K"}, list("abcd"), places)
    expected = 4 * 0.8 ** np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    for covariance in ("shrunk", "by_distance"):
        found = sample_climatology(seen, np.ones(4), 0.5, geometry, RecordClimatology(covariance=covariance))
        np.testing.assert_allclose(found["mean"], 5, atol=0.3)
        np.testing.assert_allclose(found["covariance"], expected, atol=0.5)
        # 0.9^n = 1 / e
        assert found.attrs["decorrelation_time"] == pytest.approx(-0.5 / np.log(0.9), rel=0.15)
        variance = np.trapezoid(found["power_spectrum"], found["frequency"])
        assert variance == pytest.approx(4.0, rel=0.1)
    assert found.attrs["correlation_length"] == pytest.approx(-1 / np.log(0.8), rel=0.15)


def test_a_covariance_of_few_samples_is_shrunk_and_positive_definite():
    rng = np.random.default_rng(5)
    seen = ar1(110, 30, 0.8, rng)
    seen[rng.random(seen.shape) < 0.5] = np.nan
    geometry = stations({"value": "1"}, [str(k) for k in range(30)])
    found = sample_climatology(seen, np.zeros(30), 1.0, geometry)
    assert found.attrs["shrinkage"] > 0.1
    assert np.linalg.eigvalsh(found["covariance"].values).min() > 0


def test_the_climatology_of_analyses_adds_the_variance_within_to_that_between():
    rng = np.random.default_rng(6)
    means = ar1(5050, 3, 0.5, rng)
    dims = ("time", "site")
    analysis = xr.Dataset(
        {"mean": (dims, means), "spread": (dims, np.full(means.shape, 2.0))},
        {"time": np.arange(5000.0), "period": ("time", np.ones(5000, np.int8))},
        {"interval": 1.0, "size": 3},
    )
    found = climatology_of_analyses(analysis)
    np.testing.assert_allclose(found["std"] ** 2, 5.0, rtol=0.1)
    assert found["covariance"].values[0, 1] == pytest.approx(0.8, abs=0.15)
    with pytest.raises(FileError, match="no states in its training period"):
        climatology_of_analyses(analysis.assign(mean=analysis["mean"] * np.nan))


def test_a_record_of_which_a_site_is_hardly_seen_is_refused_by_name(netcdf):
    found = taken(netcdf)
    found["valid"].values[found["site_index"].values == 2] = 0
    with pytest.raises(FileError, match="site 2 has 0 values in the training period"):
        climatology_of_record(found)


def test_stations_have_no_stencil_and_neighbours_by_distance():
    geometry = stations({"u": "1", "v": "1"}, NAMES, {"latitude": np.array(LATITUDE), "longitude": np.array(LONGITUDE)})
    assert Geometry.model_validate_json(geometry.canonical()) == geometry
    assert [list(sites) for sites in geometry.neighbours(1300.0, "u")][:3] == [[0, 1, 2], [0, 1], [0, 2]]
    assert not geometry.homogeneous and geometry.nearest(np.array([[51.0, -9.0]])) == 2
    with pytest.raises(Exception, match="a stencil needs points of a grid, and these sites are stations"):
        geometry.stencil(1)


def test_sites_of_a_boundary_that_never_change_are_no_hindrance_to_the_climatology_of_analyses():
    states = np.random.default_rng(0).standard_normal((60, 3))
    states[:, 0] = 0.0
    analysis = xr.Dataset(
        {"mean": (("time", "site"), states), "spread": (("time", "site"), np.zeros((60, 3)))},
        coords={"time": np.arange(60.0), "period": ("time", np.ones(60, np.int8))},
        attrs={"interval": 1.0, "size": 3},
    )
    found = climatology_of_analyses(analysis)
    assert found["std"].values[0] == 0
    assert not found["covariance"].values[0].any()
    assert np.isfinite(found["power_spectrum"]).all()
