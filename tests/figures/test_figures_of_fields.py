"""Figures of models on a plane, of models without space, and of several fields."""

import numpy as np
import pytest
from synthetic_study import CONVECTION, PLANE, make_fields_study, make_stations_study, without_truth

from assimilearn import figures
from assimilearn.figures import FIGURES, FigureError, style
from assimilearn.figures.spatial_spectra import spectrum
from assimilearn.models.climate import ClimateSettings, statistics_of_fields
from assimilearn.models.fields import field_scales
from assimilearn.models.geometry import grid, without_space

FIELDS = 2
COLUMNS = ("Truth", "Observations", "Analysis", "Error", "Spread")


@pytest.fixture(scope="module")
def plane():
    return make_fields_study(PLANE)


@pytest.fixture(scope="module")
def maps(plane):
    return figures.plot("maps", **plane)


@pytest.fixture(scope="module")
def convection():
    return make_fields_study(CONVECTION)


def panels(figure):
    """Panels by row and title, without their letters."""
    found = {}
    for axes in figure.axes:
        title = axes.get_title(loc="left").partition(") ")[2]
        if axes.get_label() != "<colorbar>":
            found[sum(key[1] == title for key in found), title] = axes
    return found


def test_maps_have_a_row_for_each_field_with_all_that_is_known_of_it(maps):
    assert list(panels(maps)) == [(row, title) for row in range(FIELDS) for title in COLUMNS]


def test_maps_show_the_analysis_of_the_smallest_innovations_at_the_last_time(plane, maps):
    best = plane["analyses"]["letkf"]
    assert maps.get_suptitle().startswith("letkf at 2.95")
    for row, values in enumerate(PLANE.split(best["mean"].values[-1]).values()):
        np.testing.assert_allclose(panels(maps)[row, "Analysis"].collections[0].get_array(), values)


def test_truth_observations_and_analysis_of_a_field_share_one_scale(maps):
    drawn = panels(maps)
    for row in range(FIELDS):
        scales = {drawn[row, title].collections[0].get_clim() for title in ("Truth", "Observations", "Analysis")}
        assert len(scales) == 1
    tops = [drawn[row, "Truth"].collections[0].get_clim()[1] for row in range(FIELDS)]
    assert tops[0] > 5 * tops[1]  # each field has its own


def test_errors_on_maps_are_symmetric_about_zero_and_spreads_begin_there(plane, maps):
    errors = PLANE.split(plane["analyses"]["letkf"]["mean"].values[-1] - plane["truth"]["state"].values[-1])
    for row, error in enumerate(errors.values()):
        image = panels(maps)[row, "Error"].collections[0]
        low, high = image.get_clim()
        assert low == -high
        np.testing.assert_allclose(image.get_array(), error)
        assert panels(maps)[row, "Spread"].collections[0].get_clim()[0] == 0


def test_observations_stand_on_the_map_of_their_field_at_their_place(plane, maps):
    seen = plane["observations"].isel(time=-1)
    site, value = seen["site_index"].values, seen["value"].values
    for row in range(FIELDS):
        own = PLANE.field_of[site] == row
        shown = panels(maps)[row, "Observations"].collections[0]
        np.testing.assert_allclose(shown.get_offsets()[:, ::-1], PLANE.coordinates[site[own]])
        np.testing.assert_allclose(shown.get_array(), value[own])


def test_observations_between_sites_stand_where_they_were_made(plane):
    seen = plane["observations"]
    moved = PLANE.coordinates[seen["site_index"].values] + 0.3
    moved[..., 1] += 24.0  # once round the periodic axis
    names = [axis.name for axis in PLANE.axes]
    between = seen.assign({n: (seen["value"].dims, moved[..., k]) for k, n in enumerate(names)})
    shown = panels(figures.plot("maps", **{**plane, "observations": between}))[0, "Observations"].collections[0]
    own = PLANE.field_of[seen["site_index"].values[-1]] == 0
    expected = moved[-1][own] - [0.0, 24.0]
    np.testing.assert_allclose(shown.get_offsets()[:, ::-1], expected)


def test_maps_without_a_truth_show_the_innovations_where_they_were_made(plane):
    drawn = panels(figures.plot("maps", **without_truth(plane)))
    assert [title for row, title in drawn if row == 0] == ["Observations", "Analysis", "Innovations", "Spread"]
    image = drawn[0, "Innovations"].collections[0]
    low, high = image.get_clim()
    assert low == -high and len(image.get_offsets()) == len(drawn[0, "Observations"].collections[0].get_offsets())


def test_spatial_spectra_integrate_to_the_variance_and_find_a_wave_where_it_is():
    """Waves of 5 cycles along a channel of 32 points, and half as many half waves across: by hand."""
    channel = grid({"u": (24, 32)}, periodic=(False, True))
    y, x = np.meshgrid(np.arange(24), np.arange(32), indexing="ij")
    one = 2.0 * np.cos(2 * np.pi * 5 * x / 32) * np.cos(np.pi * 4 * (y + 0.5) / 24)
    wavenumber, density = spectrum(one.ravel()[None], channel, channel.fields[0])
    assert wavenumber[density.argmax()] == pytest.approx(np.hypot(5 / 32, 4 / 48), abs=0.5 / 23)
    assert density.sum() * (wavenumber[1] - wavenumber[0]) == pytest.approx(one.var(), rel=1e-9)
    assert np.sort(density)[-2] < 1e-9 * density.max()


def test_spatial_spectra_show_states_and_errors_beside_the_truth(plane):
    drawn = panels(figures.plot("spatial_spectra", **plane))
    titles = [title for _, title in drawn]
    assert titles == [f"{what}: {name}" for name in PLANE.names for what in ("State", "Error")]
    names = {line.get_label() for axes in drawn.values() for line in axes.get_lines()}
    assert names == {"truth", *plane["analyses"]}
    alone = panels(figures.plot("spatial_spectra", **without_truth(plane)))
    assert [title for _, title in alone] == [f"State: {name}" for name in PLANE.names]


def test_maps_of_functions_of_the_state_have_no_points(plane):
    square = plane["observations"].assign_attrs(operator='{"function": "square"}')
    drawn = panels(figures.plot("maps", **{**plane, "observations": square}))
    assert all(not len(drawn[row, "Observations"].collections[0].get_offsets()) for row in range(FIELDS))


def test_hovmoller_of_several_fields_has_a_row_for_each_with_a_scale_of_its_own():
    line = grid({"height": (12,), "wind": (12,)}, units="km")
    study = make_fields_study(line)
    drawn = panels(figures.plot("hovmoller", **study))
    assert list(drawn) == [(row, title) for row in range(FIELDS) for title in COLUMNS[:4]]
    for row, values in enumerate(line.split(study["truth"]["state"].values[20:]).values()):
        np.testing.assert_allclose(drawn[row, "Truth"].collections[0].get_array().T, values)
    tops = [drawn[row, "Truth"].collections[0].get_clim()[1] for row in range(FIELDS)]
    assert tops[0] > 5 * tops[1]


def test_time_series_show_truth_observations_and_spread_of_each_variable(convection):
    drawn = [axes for axes in figures.plot("time_series", **convection).axes]
    best, seen = convection["analyses"]["letkf"].isel(time=slice(20, None)), convection["observations"]
    assert [axes.get_ylabel() for axes in drawn] == ["x (–)", "y (–)", "z (–)"]
    for site, axes in enumerate(drawn):
        lines = {line.get_label(): line for line in axes.lines}
        np.testing.assert_allclose(lines["truth"].get_ydata(), convection["truth"]["state"].values[20:, site])
        np.testing.assert_allclose(lines["analysis: letkf"].get_ydata(), best["mean"].values[:, site])
        row, column = np.nonzero(seen["site_index"].values[20:] == site)
        np.testing.assert_allclose(lines["observations"].get_ydata(), seen["value"].values[20:][row, column])
        corners = axes.collections[0].get_paths()[0].vertices[:, 1]
        assert corners.max() == pytest.approx((best["mean"] + best["spread"]).values[:, site].max())


def test_values_of_one_field_are_numbered_and_the_first_eight_shown():
    figure = figures.plot("time_series", **make_fields_study(without_space({"mode": 9, "mean": 1})))
    assert [axes.get_ylabel() for axes in figure.axes] == [f"mode {k} (–)" for k in range(8)]


def test_a_phase_portrait_has_a_panel_for_each_pair_of_variables(convection):
    drawn = figures.plot("phase_portrait", **convection).axes
    assert [(axes.get_xlabel()[0], axes.get_ylabel()[0]) for axes in drawn] == [("x", "y"), ("x", "z"), ("y", "z")]
    truth, points = drawn[1].lines
    np.testing.assert_allclose(truth.get_xydata(), convection["truth"]["state"].values[20:, [0, 2]])
    np.testing.assert_allclose(points.get_xydata(), convection["analyses"]["letkf"]["mean"].values[20:, [0, 2]])
    assert len(figures.plot("phase_portrait", **make_fields_study(without_space(["x", "y"]))).axes) == 1


def test_climates_of_several_fields_are_compared_field_by_field():
    states = make_fields_study(PLANE)["truth"]["state"].values
    settings = ClimateSettings(duration=2.0, segment=1.0)
    model = statistics_of_fields(states, 0.05, settings, PLANE).assign_attrs(PLANE.attributes)
    run = model.copy()
    scales = field_scales(model, PLANE)
    run["mean"] = model["mean"] + 0.5 * scales * (PLANE.field_of == 1)
    run["std"] = model["std"] * np.where(PLANE.field_of == 0, 1.2, 1.0)
    mean, std = figures.plot("climate", model=model, forecast_scores={"cnn": run.assign_attrs(free_run="ok")}).axes[2:]
    assert [text.get_text() for text in mean.get_xticklabels()] == PLANE.names
    np.testing.assert_allclose(mean.lines[0].get_ydata(), [0.0, 0.5], atol=1e-12)
    np.testing.assert_allclose(std.lines[0].get_ydata(), [1.2, 1.0])


@pytest.mark.parametrize(
    ("name", "geometry", "reason"),
    [
        ("maps", grid({"a": (8,)}), "shows models on a plane, and this one has one axis"),
        ("hovmoller", PLANE, "shows models on one axis, and this one has 2 axes"),
        ("time_series", PLANE, "shows single variables and stations, and this has 2 axes"),
        ("phase_portrait", without_space({"a": 4}), "of two or three variables, and this one has 4"),
    ],
)
def test_a_figure_refuses_a_geometry_that_it_cannot_show(name, geometry, reason):
    with pytest.raises(FigureError, match=f"the figure '{name}' .*{reason}"):
        figures.plot(name, **make_fields_study(geometry))


def test_example_forecasts_are_shown_of_one_field_on_one_axis():
    unsuited = FIGURES["hovmoller_forecast"].unsuited
    assert unsuited(grid({"a": (8,)})) is None
    assert unsuited(grid({"a": (8,), "b": (8,)})) == "shows models of one field, and this one has 2"
    assert unsuited(PLANE) == "shows models on one axis, and this one has 2 axes"


def test_panels_after_the_last_letter_have_two(maps):
    axes = maps.axes[0]
    with style.style():
        style.letter(axes, 27, "more")
    assert axes.get_title(loc="left") == "(bb) more"


def test_a_station_that_is_withheld_shows_its_own_error_and_another_marker():
    study = make_stations_study()
    figure = figures.plot("station_map", **study)
    west = study["withheld"]["valid"].values.astype(bool)
    test = study["withheld"]["period"].values == 3
    sites = study["withheld"]["site_index"].values
    states = np.take_along_axis(study["analyses"]["letkf"]["mean"].values, sites, 1)
    chosen = west & test[:, None] & (sites == 3)
    expected = np.sqrt(((study["withheld"]["value"].values - states)[chosen] ** 2).mean())
    seen, unseen = figure.axes[0].collections
    assert seen.get_offsets().shape == (3, 2)
    np.testing.assert_allclose(unseen.get_offsets(), [[4.0, 53.0]])
    np.testing.assert_allclose(unseen.get_array(), [expected])
