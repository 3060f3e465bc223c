"""A network from a file observes the sites that the file lists, when it lists them, or says what is wrong."""

import numpy as np
import pytest
import xarray as xr

from assimilearn import store
from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.background.climatology import ClimatologyModel
from assimilearn.errors import FileError
from assimilearn.models.geometry import grid, ring
from assimilearn.models.truth import truth_dataset
from assimilearn.observations import ObservationSettings, observe
from assimilearn.observations.network_files import sites_from_file
from assimilearn.observations.network_sums import sums_from_file
from assimilearn.observations.networks import MovingRandom

TIMES = 0.1 * np.arange(6)
LISTED = "station, time, site\nb, 0.1, 3\na, 0.1, 0\na, 0.3, 7\na, 9.0, 99\n"


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "network.csv"
        path.write_text(text)
        return path

    return write


def rows(sites):
    return [list(row[row >= 0]) for row in sites]


@pytest.mark.filterwarnings("error")
def test_a_table_lists_sites_in_any_order_and_times_beyond_the_truth_are_left_out(table):
    path = table(LISTED.replace("station, ", "").replace("b, ", "").replace("a, ", ""))
    assert rows(sites_from_file(path, 8, TIMES)) == [[], [0, 3], [], [7], [], []]


def test_other_columns_may_stand_beside(table):
    assert rows(sites_from_file(table(LISTED), 8, TIMES)) == [[], [0, 3], [], [7], [], []]


def test_a_netcdf_file_says_the_same(tmp_path):
    dataset = xr.Dataset({"site_index": (("time", "observation"), [[3, 0], [7, -1]])}, {"time": ("time", [0.1, 0.3])})
    store.write(dataset, tmp_path / "network.nc")
    assert rows(sites_from_file(tmp_path / "network.nc", 8, TIMES)) == [[], [0, 3], [], [7], [], []]


def test_the_network_of_observations_can_be_used_again(tmp_path):
    states = np.random.default_rng(0).standard_normal((6, 8))
    truth = truth_dataset(TIMES, np.ones(6, np.int8), states, 0.1)
    first = observe(truth, ObservationSettings(network=MovingRandom(count=3), missing=0.3), np.random.default_rng(2))
    store.write(first, tmp_path / "observations.nc")
    network = {"method": "file", "path": str(tmp_path / "observations.nc")}
    again = observe(truth, ObservationSettings(network=network), np.random.default_rng(3))
    np.testing.assert_array_equal(again["valid"], first["valid"])
    np.testing.assert_array_equal(again["site_index"], first["site_index"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,site\n0.1,8\n", "site 8 is not one of the sites 0 to 7"),
        ("time,site\n0.1,1.5\n", "site 1.5 is not one of"),
        ("time,site\n0.1,-1\n", "site -1 is not one of"),
        ("time,site\n0.1,2\n0.1,2\n", "site 2 is listed twice at time 0.1 MTU"),
        ("time,site\n0.15,2\n", "time 0.15 MTU is not an observation time"),
        ("time,site\n7.0,2\n", "no time from 0 to 0.5 MTU"),
        ("time,place\n0.1,2\n", "a header with time and site is needed; site stands there not at all"),
        ("time,site\n0.1,here\n", "line 2: site is 'here', not a finite number"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(table, text, message):
    with pytest.raises(FileError, match=message):
        sites_from_file(table(text), 8, TIMES)


def test_a_file_that_is_not_there(tmp_path):
    for name in ("network.csv", "network.nc"):
        with pytest.raises(FileError, match="o such file"):
            sites_from_file(tmp_path / name, 8, TIMES)


PLANE = grid({"u": (4, 5), "h": (4, 5)}, 1.0, (True, False))


def seen_on_plane(path):
    """Values of u = column and h = 10 row, which linear interpolation gives exactly, without an error to speak of."""
    columns = np.broadcast_to(np.arange(5.0), (4, 5))
    rows_of = 10 * np.broadcast_to(np.arange(4.0)[:, None], (4, 5))
    states = np.tile(np.concatenate([columns.ravel(), rows_of.ravel()]), (6, 1))
    truth = truth_dataset(TIMES, np.ones(6, np.int8), states, 0.1).assign_attrs(PLANE.attributes)
    network = {"method": "file", "path": str(path), "places": "anywhere"}
    return observe(truth, ObservationSettings(network=network, error_std=1e-9), np.random.default_rng(0))


def test_stations_are_points_between_sites_observed_at_every_time(table):
    found = seen_on_plane(table("name,y,x,field\na,0,1.25,u\nb,1.5,3,h\nc,3.5,0,h\n"))
    np.testing.assert_allclose(found["value"], np.tile([1.25, 15.0, 15.0], (6, 1)), atol=1e-6)  # c: round the period
    np.testing.assert_allclose(found["x"][0], [1.25, 3, 0])
    assert found["site_index"].values[0].tolist()[0] == 1 and found.attrs["size"] == 40


def test_points_may_move(table):
    found = seen_on_plane(table("time;x;y\n0.1;2.5;0\n0.3;0.5;1\n0.3;3;2\n"))
    assert found["valid"].values.sum(axis=1).tolist() == [0, 1, 0, 2, 0, 0]
    np.testing.assert_allclose(found["value"].values[3], [0.5, 3.0], atol=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,field\n1,u\n", "y must stand in the header"),
        ("x,y,field\n1,1,v\n", "line 2: no field 'v'; there are u, h"),
        ("x,y\n4.5,1\n", "x = 4.5 lies outside the domain"),
        ("time,x,y\n0.15,1,1\n", "not an observation time"),
    ],
)
def test_points_that_cannot_be_observed_are_refused(table, text, message):
    with pytest.raises(FileError, match=message):
        seen_on_plane(table(text))


def test_weighted_sums_are_any_linear_operator_and_filters_use_it(table):
    """The same from a full matrix H, and the Kalman gain of BLUE with it."""
    H = np.zeros((3, 8))
    H[0, [1, 2]], H[1, 5], H[2, [0, 4, 7]] = (0.5, 0.5), -1.0, (0.2, 0.3, 2.0)
    entries = [f"{o},{s},{H[o, s]}" for o, s in zip(*np.nonzero(H), strict=True)]
    path = str(table("\n".join(["observation,site,weight", *entries])))
    states = np.random.default_rng(0).standard_normal((6, 8))
    truth = truth_dataset(TIMES, np.ones(6, np.int8), states, 0.1)
    network = {"method": "file", "path": path, "places": "sums"}
    seen = observe(truth, ObservationSettings(network=network, error_std=1e-9), np.random.default_rng(0))
    np.testing.assert_allclose(seen["value"], states @ H.T, atol=1e-7)
    np.testing.assert_array_equal(seen["site_index"][0], [1, 5, 7])
    B = 0.6 ** np.abs(np.subtract.outer(np.arange(8), np.arange(8)))
    climatology = xr.Dataset({"mean": ("site", np.zeros(8)), "covariance": (("site", "other_site"), B)})
    model = ClimatologyModel(np.zeros(8), 0.1)
    blue = assimilate(
        seen.assign(error_std=0 * seen["error_std"] + 0.5),
        *(model, METHODS["blue"](), climatology, np.random.default_rng(0)),
    )
    K = B @ H.T @ np.linalg.inv(H @ B @ H.T + 0.25 * np.eye(3))
    np.testing.assert_allclose(blue["mean"], seen["value"].values @ K.T, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("observation,site\n0,1", "weight must stand in the header once"),
        ("observation,site,weight\n0,8,1", "line 2: site 8 is not one of 0 to 7"),
        ("observation,site,weight\n0,1,1\n0,1,2", "observation 0 has two weights of site 1"),
        ("observation,site,weight\n0,1,0\n1,2,2", "observation 0 has no weight but 0"),
    ],
)
def test_weighted_sums_that_cannot_be_say_so(table, text, message):
    with pytest.raises(FileError, match=message):
        sums_from_file(table(text), ring(8), 3)
