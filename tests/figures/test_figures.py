import re
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from synthetic_study import (
    ANALYSES,
    CONVECTION,
    PLANE,
    TEST,
    make_fields_study,
    make_stations_study,
    make_study,
    without_truth,
)

from assimilearn import figures
from assimilearn.figures import FIGURES, KINDS, FigureError, inputs, style
from assimilearn.figures.hovmoller import on_sites
from assimilearn.figures.search_progress import progress
from assimilearn.figures.search_surrogate import expected_improvement
from assimilearn.verification import Claim, Row

CAPTIONS = Path(__file__).parents[2] / "workflow" / "report" / "figures"
# panels that carry data, colour bars not counted
PANELS = {
    "hovmoller": 4,
    "maps": 2 * 5,
    "spatial_spectra": 2 * 2,
    "time_series": 3,
    "station_map": 2,
    "phase_portrait": 3,
    "analysis_error": 3,
    "scoreboard": 1,
    "ensemble_calibration": 6 + 2,
    "record_skill": 3,
    "forecast_skill": 3,
    "hovmoller_forecast": 9,
    "climate": 4,
    "lyapunov_spectrum": 2,
    "one_step_and_free_run": 2 * 8,
    "cost_against_skill": 2,
    "reliability": 3,
    "fitting": 2,
    "skill_against_data": 2,
    "cross_validation": 3,
    "search_progress": 2,
    "search_surrogate": 8,
    "search_test": 2,
    "learning_curves": 3,
    "training": 2,
    "loop_convergence": 3,
    "coefficients": 2,
    "explanations": 4,
    "rmse_against_members": 1,
    "rmse_against_settings": 3,
    "published": 1,
    "sensitivity": 6,
}


@pytest.fixture(scope="module")
def study():
    return make_study()


@pytest.fixture(scope="module")
def studies(study):
    """What each figure is drawn from: a study on a ring, or one of a model that the figure is for."""
    plane, convection = make_fields_study(PLANE), make_fields_study(CONVECTION)
    return {name: study for name in FIGURES} | {
        "maps": plane,
        "spatial_spectra": plane,
        "time_series": convection,
        "phase_portrait": convection,
        "station_map": make_stations_study(),
    }


@pytest.fixture(scope="module")
def drawn(studies):
    return {name: figures.plot(name, **studies[name]) for name in FIGURES}


def panels(figure):
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


def legend_texts(figure):
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes if axes.get_legend())]
    return [text.get_text() for legend in legends for text in legend.get_texts()]


def labels(figure):
    return [text for axes in figure.axes for text in (axes.get_xlabel(), axes.get_ylabel()) if text]


def drawn_levels(axes, across):
    """Positions of the lines that cross a whole panel, horizontally or vertically."""
    data = [line.get_ydata() if across == "y" else line.get_xdata() for line in axes.lines]
    return [values[0] for values in data if len(values) == 2 and values[0] == values[1]]


def copies(datasets):
    return {name: dataset.copy() for name, dataset in datasets.items()}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_has_its_panels(drawn, name):
    assert len(panels(drawn[name])) == PANELS[name]


@pytest.mark.parametrize("name", FIGURES)
def test_every_axis_label_has_units_in_brackets(drawn, name):
    texts = labels(drawn[name])
    assert texts
    assert [text for text in texts if not re.fullmatch(r"[^()]+ \([^()]+\)", text.replace("\n", " "))] == []


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_has_the_width_of_a_page_and_eight_point_text(drawn, name):
    assert drawn[name].get_figwidth() * 2.54 == pytest.approx(17.4)
    sizes = {axes.xaxis.label.get_fontsize() for axes in panels(drawn[name])}
    assert sizes == {8.0}


@pytest.mark.parametrize("name", FIGURES)
def test_no_two_tick_labels_of_an_axis_overlap(drawn, name):
    drawn[name].draw_without_rendering()
    for axes in [*drawn[name].axes, *(upper for main in drawn[name].axes for upper in main.child_axes)]:
        for axis, low, high in ((axes.xaxis, "x0", "x1"), (axes.yaxis, "y0", "y1")):
            start, end = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_major_ticks() if start <= tick.get_loc() <= end]
            boxes = [text.get_window_extent() for tick in ticks for text in (tick.label1, tick.label2) if shown(text)]
            boxes.sort(key=lambda box: getattr(box, low))
            assert all(getattr(b, low) > getattr(a, high) for a, b in pairwise(boxes))


def shown(text):
    return text.get_visible() and text.get_text()


@pytest.mark.parametrize("name", FIGURES)
def test_everything_stands_inside_the_page(drawn, name):
    figure = drawn[name]
    figure.draw_without_rendering()
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 > -0.02 and box.y0 > -0.02
    assert box.x1 < width + 0.02 and box.y1 < height + 0.02


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_can_do_without_what_is_not_required(studies, name):
    given = {kind: studies[name][kind] for kind in FIGURES[name].needed}
    assert panels(figures.plot(name, **given))


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name in FIGURES for kind in FIGURES[name].needed])
def test_what_is_required_and_missing_is_named_in_one_error(studies, name, kind):
    for absent in (None, {}):
        with pytest.raises(FigureError, match=f"{name}.* needs {kind}"):
            figures.plot(name, **{**studies[name], kind: absent})


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_without_a_truth(studies, name):
    figure = figures.plot(name, **without_truth(studies[name]))
    assert panels(figure)
    assert not [text for text in labels(figure) if text.startswith(("RMSE", "CRPS", "Error"))]


def test_required_kinds_are_kinds_that_the_figure_reads():
    for name, reads in FIGURES.items():
        assert reads.needed and set(reads.kinds) <= set(KINDS), name


def test_unknown_figures_and_kinds_are_refused(study):
    with pytest.raises(FigureError, match="no figure is called 'hovmöller'"):
        figures.plot("hovmöller", **study)
    with pytest.raises(FigureError, match="no kind of dataset is called score"):
        figures.plot("climate", score=study["model"])


def test_every_figure_has_a_caption_without_a_number():
    for name in FIGURES:
        caption = (CAPTIONS / f"{name}.rst").read_text()
        assert len(caption) > 100
        assert not re.search(r"\d", caption)
    assert {path.stem for path in CAPTIONS.glob("*.rst")} == set(FIGURES)


def test_planning_imports_no_matplotlib_and_drawing_no_pyplot(tmp_path):
    code = (
        "import sys; from assimilearn import figures; assert 'matplotlib' not in sys.modules\n"
        "import numpy as np, xarray as xr\n"
        "loss = xr.Dataset({'loss': ('epoch', [2.0, 1.0])}, coords={'epoch': [1, 2]})\n"
        "figures.save(figures.plot('learning_curves', emulators={'cnn': loss}), sys.argv[1])\n"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "curve")], check=True, timeout=60)


# ---- what single figures show ---------------------------------------------------------------------------------


def test_errors_in_time_lie_between_interpolation_and_the_filter_with_the_physical_model(study, drawn):
    expected = [float(study["analysis_scores"][name]["mean"].sel(score="rmse")) for name in ("interpolation", "etkf")]
    for axes in panels(drawn["analysis_error"]):
        assert drawn_levels(axes, "y") == pytest.approx(expected)
    assert {"time mean of interpolation", "time mean of etkf"} <= set(legend_texts(drawn["analysis_error"]))


def test_errors_in_time_cover_the_test_period_and_no_more(study, drawn):
    test = study["truth"].time.values[-TEST:]
    for axes in panels(drawn["analysis_error"]):
        long = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) > 2]
        assert all(len(x) == TEST and x[0] == test[0] and x[-1] == test[-1] for x in long)


def test_every_analysis_stands_in_the_legend_of_errors_and_on_the_scoreboard(drawn):
    assert set(ANALYSES) <= set(legend_texts(drawn["analysis_error"]))
    rows = [text.get_text() for text in panels(drawn["scoreboard"])[0].get_yticklabels()]
    assert set(ANALYSES) <= set(rows)


def test_scoreboard_goes_by_group_and_from_worst_to_best(drawn):
    rows = [text.get_text() for text in panels(drawn["scoreboard"])[0].get_yticklabels()]
    assert rows == [
        "Without a forecast model",
        *("climatology", "blue", "interpolation"),
        "With the physical model",
        *("3dvar", "enkf", "etkf"),
        "With learned models",
        *("etkf-forest", "etkf-mlp", "etkf-ridge", "etkf-cnn"),
    ]


def test_scoreboard_draws_the_bounds_as_vertical_lines(study, drawn):
    levels = drawn_levels(panels(drawn["scoreboard"])[0], "x")
    for name in ("interpolation", "etkf"):
        expected = float(study["analysis_scores"][name]["mean"].sel(score="rmse"))
        assert any(level == pytest.approx(expected) for level in levels)


def test_scoreboard_names_a_diverged_analysis_instead_of_scoring_it(study):
    scores = copies(study["analysis_scores"])
    scores["etkf-mlp"].attrs.update(status="diverged", diverged_at=71.5)
    axes = panels(figures.plot("scoreboard", analysis_scores=scores))[0]
    assert [text.get_text() for text in axes.texts] == ["diverged at 71.5 MTU"]


def test_a_lost_analysis_is_scored_and_named(study):
    scores = copies(study["analysis_scores"])
    scores["etkf-mlp"].attrs.update(status="lost", reason="surer than right")
    axes = panels(figures.plot("scoreboard", analysis_scores=scores))[0]
    assert "etkf-mlp (lost)" in [text.get_text() for text in axes.get_yticklabels()] and not axes.texts
    names = panels(figures.plot("analysis_error", analysis_scores=scores))
    assert any("etkf-mlp (lost)" in axes.get_legend_handles_labels()[1] for axes in names)


def test_groups_without_the_attribute_follow_from_method_and_names(study):
    bare = copies(study["analysis_scores"])
    for dataset in bare.values():
        del dataset.attrs["model_kind"]
    groups = inputs.grouped(bare, study["forecast_scores"])
    assert {group: list(members) for group, members in groups.items()} == {
        group: list(members) for group, members in inputs.grouped(study["analysis_scores"]).items()
    }


def test_without_an_etkf_the_best_filter_with_the_physical_model_is_the_lower_bound(study):
    scores = {name: d for name, d in study["analysis_scores"].items() if name != "etkf"}
    assert list(inputs.bounds(scores, "rmse")) == ["interpolation", "enkf"]
    scores = copies(scores)
    scores["enkf"].attrs["status"] = "diverged"
    assert list(inputs.bounds(scores, "rmse")) == ["interpolation", "3dvar"]


def test_hovmoller_shows_error_with_and_innovation_without_a_truth(study, drawn):
    titles = [axes.get_title(loc="left") for axes in panels(drawn["hovmoller"])]
    assert titles == ["(a) Truth", "(b) Observations", "(c) Analysis: etkf", "(d) Error: analysis − truth"]
    titles = [axes.get_title(loc="left") for axes in panels(figures.plot("hovmoller", **without_truth(study)))]
    assert titles == ["(a) Observations", "(b) Analysis: etkf", "(c) Innovation: observation − forecast"]


def test_hovmoller_colours_the_error_of_the_analysis_on_a_scale_symmetric_about_zero(study, drawn):
    mesh = panels(drawn["hovmoller"])[3].collections[0]
    low, high = mesh.get_clim()
    assert low == -high
    error = (study["analyses"]["etkf"]["mean"] - study["truth"].state).values[-200:]
    np.testing.assert_allclose(mesh.get_array().T, error, atol=1e-6)


def test_hovmoller_puts_each_observation_on_its_site_and_leaves_the_others_blank(study):
    observations = study["observations"].isel(time=slice(0, 20))
    field = on_sites(observations["value"], observations, 40)
    for time, column in ((0, 0), (1, 19), (5, 7)):
        site = int(observations.site_index[time, column])
        assert field[time, site] == float(observations.value[time, column])
    assert np.isfinite(field).sum() == observations.valid.values.sum()


def test_hovmoller_refuses_a_truth_on_another_clock(study):
    truth = study["truth"].assign_coords(time=study["truth"].time + 0.02)
    with pytest.raises(FigureError, match="the truth at the times of the analysis"):
        figures.plot("hovmoller", **{**study, "truth": truth})


def test_a_series_without_periods_is_refused(study):
    bare = {name: dataset.drop_vars("period") for name, dataset in study["analysis_scores"].items()}
    with pytest.raises(FigureError, match="period"):
        figures.plot("analysis_error", analysis_scores=bare)


def test_skill_has_threshold_saturation_and_a_second_axis_in_lyapunov_times(drawn):
    for axes in panels(drawn["forecast_skill"])[:2]:
        assert drawn_levels(axes, "y") == pytest.approx([0.5, 1.0, np.sqrt(2)])
        upper = axes.child_axes[0]
        assert upper.get_xlabel() == "Lyapunov times (LT)"
        axes.figure.draw_without_rendering()
        assert upper.get_xlim()[1] == pytest.approx(axes.get_xlim()[1] * 1.69)


def test_skill_marks_valid_times_that_are_lower_bounds(study, drawn):
    censored = sum(
        int(dataset.censored.sel(initial=initial).any())
        for dataset in study["forecast_scores"].values()
        for initial in ("analysis", "truth")
    )
    arrows = [line for line in panels(drawn["forecast_skill"])[2].lines if line.get_marker() == ">"]
    assert len(arrows) == censored >= 1


def test_climate_names_runs_that_diverged_or_came_to_rest_and_draws_the_others(drawn):
    texts = legend_texts(drawn["climate"])
    assert {"ridge-blue (diverged)", "persistence (at rest)", "cnn", "reference climate"} <= set(texts)
    lines = {line.get_label(): line.get_ydata() for line in panels(drawn["climate"])[0].lines}
    assert np.isnan(lines["ridge-blue (diverged)"]).all()
    assert np.isfinite(lines["cnn"]).all()


def test_lyapunov_spectrum_draws_the_reference_its_band_and_names_models_without_exponents(study, drawn):
    texts = legend_texts(drawn["lyapunov_spectrum"])
    assert {"reference", "cnn", "ridge-blue (none found)"} <= set(texts)
    differences = panels(drawn["lyapunov_spectrum"])[1]
    shown = next(line.get_ydata() for line in differences.lines if len(line.get_ydata()) > 2)
    first = study["spectra"]["cnn"]
    np.testing.assert_allclose(shown, first.lyapunov_exponent - first.lyapunov_reference)


def test_published_numbers_stand_at_the_ratio_that_was_found_within_the_band_that_agrees():
    rows = [
        Row("a/rmse", 0.22, 0.01, published="0.2", passed=True),
        Row("b/rmse", 0.5, published="0.2", passed=False),
        Row("c/time", 2.7, published=">= 3", passed=False),
        Row("d/error", 90.0, published="<= 1", passed=False),
        Row("e/lost", np.nan, published="0.3", passed=False),
        Row("f/bias", 0.01, published="-0.03 to 0.03", passed=True),
    ]
    claims = {
        "a/rmse": Claim(published=0.2, tolerance=0.03, source="a paper"),
        "b/rmse": Claim(published=0.2, tolerance=0.03, source="a paper"),
        "c/time": Claim(published=3, tolerance=0.5, relation="at_least", source="a paper"),
        "d/error": Claim(published=1, relation="at_most", source="a paper"),
        "e/lost": Claim(published=0.3, source="a paper"),
        "f/bias": Claim(published=-0.03, upper=0.03, relation="between", source="an aim"),
    }
    (axes,) = (axes for axes in figures.plot("published", rows=rows, claims=claims).axes if axes.patches)
    dots = {int(y): line for line in axes.lines for y in line.get_ydata()[:1] if line.get_marker() not in ("None", "")}
    assert [round(float(dots[k].get_xdata()[0]), 6) for k in range(4)] == [1.1, 2.5, 0.9, 4.0]
    assert [dots[k].get_marker() for k in range(4)] == ["o", "s", "s", ">"]
    bands = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches]
    np.testing.assert_allclose(bands[:4], [(0.85, 1.15), (0.85, 1.15), (2.5 / 3, 4), (0.25, 1)])
    assert [text.get_text() for text in axes.get_yticklabels()] == [row.name for row in rows[:5]]
    with pytest.raises(FigureError, match="a published number above zero"):
        figures.plot("published", rows=rows[5:], claims=claims)


def test_sensitivity_goes_through_the_medians_and_reaches_from_the_lowest_to_the_highest_realization(study, drawn):
    axes = panels(drawn["sensitivity"])[1]  # sites
    curve = next(box for box in axes.containers if box.get_label() == "windows")
    scores = {row.name: row.value for row in study["rows"]}
    line, _, (bars,) = curve.lines
    for x, y, bar in zip(*line.get_data(), bars.get_segments(), strict=True):
        scenarios = [name for name, value in study["variations"]["observations.network.count"].items() if value == x]
        values = sorted(scores[f"{name}/windows/rmse"] for name in scenarios)
        assert len(values) == 3
        assert [bar[0][1], y, bar[1][1]] == pytest.approx(values)


def test_sensitivity_has_logarithmic_axes_for_decades_and_leaves_out_what_diverged(study, drawn):
    assert [axes.get_xscale() for axes in panels(drawn["sensitivity"])[:3]] == ["linear", "linear", "log"]
    lost = [replace(r, value=np.nan) if r.name == "usual-0/etkf/rmse" else r for r in study["rows"]]
    axes = panels(figures.plot("sensitivity", rows=lost, variations=study["variations"]))[0]
    curve = next(box for box in axes.containers if box.get_label() == "etkf")
    assert np.isfinite(curve.lines[0].get_ydata()).all()
    with pytest.raises(FigureError, match="the scorecard has none"):
        figures.plot("sensitivity", rows=study["rows"][1:2], variations=study["variations"])


def test_cross_validation_marks_the_chosen_trial_and_has_log_axes_for_decades(study, drawn):
    learning, width = panels(drawn["cross_validation"])[1:]
    search = study["tuning"]["cnn"]
    best = int(search.best)
    for axes, setting in ((learning, "learning_rate"), (width, "width")):
        star = next(line for line in axes.lines if line.get_label() == "chosen")
        point = [float(star.get_xdata()[0]), float(star.get_ydata()[0])]
        assert point == pytest.approx([float(search[f"setting_{setting}"][best]), float(search.mean_score[best, 0])])
    assert (learning.get_xscale(), width.get_xscale()) == ("log", "linear")


def test_cross_validation_lines_hold_the_other_settings_at_the_chosen_values(study, drawn):
    search = study["tuning"]["cnn"]
    rate = search.setting_learning_rate.values[int(search.best)]
    expected = search.mean_score.values[search.setting_learning_rate.values == rate, 0]
    axes = panels(drawn["cross_validation"])[2]
    mean = next(box for box in axes.containers if box.get_label() == "mean ± standard error")
    np.testing.assert_allclose(mean.lines[0].get_ydata(), expected)


def test_cross_validation_takes_settings_that_are_texts_and_trials_that_failed(study):
    search = study["tuning"]["ridge"].copy(deep=True)
    names = np.array(["a", "b", "c", "d", "e", "f", "g", "h", "i"], dtype=object)
    search = search.assign_coords(setting_penalty=("trial", names))
    search["rollout"][0] = np.nan
    search["mean_score"][0] = np.nan
    axes = panels(figures.plot("cross_validation", tuning={"ridge": search}))[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == list(names)


def test_search_progress_counts_a_small_budget_as_a_part_of_a_trial(study):
    search = study["tuning"]["ridge"].isel(trial=slice(0, 3))
    scores = np.array([[3.0, np.nan], [2.0, 4.0], [1.0, 5.0]])
    halved = search.isel(budget=[0, 0]).assign_coords(budget=[1, 4])
    halved["mean_score"] = (("trial", "budget"), scores)
    halved["evaluation"] = (("trial", "budget"), np.array([[0, -1], [1, 3], [2, 4]]))
    cost, best = progress(halved)
    assert cost.tolist() == [1.75, 2.75] and best.tolist() == [4.0, 4.0]


def test_a_choice_on_the_edge_of_its_range_has_a_mark_of_its_own(study):
    search = study["tuning"]["ridge"]
    assert "chosen" in legend_texts(figures.plot("cross_validation", tuning={"ridge": search}))
    edge = search.assign_attrs(edges='["penalty"]')
    assert "chosen, on the edge of its range" in legend_texts(figures.plot("cross_validation", tuning={"ridge": edge}))


def test_a_search_of_an_analysis_is_held_against_the_same_score_of_the_test_period(study, drawn):
    axes = panels(drawn["search_test"])[0]
    (point,) = [line for line in axes.lines if len(line.get_xdata()) == 1]
    search, best = study["tuned_analyses"]["etkf"], int(study["tuned_analyses"]["etkf"]["best"])
    test = study["analysis_scores"]["etkf"]["mean"].sel(score="innovation_rmse")
    np.testing.assert_allclose(point.get_xydata()[0], (float(search["mean_score"][best, -1]), float(test)))


def test_expected_improvement_is_that_of_a_normal_score():
    draws = np.random.default_rng(0).normal(1.0, 0.5, 200_000)
    expected = np.maximum(0.8 - draws, 0).mean()
    assert expected_improvement(np.array([1.0]), np.array([0.5]), 0.8) == pytest.approx(expected, rel=0.02)
    assert expected_improvement(np.array([0.5]), np.array([0.0]), 0.8) == pytest.approx(0.3)


def test_learning_curves_mark_the_epoch_of_the_lowest_validation_loss(study, drawn):
    names = ["mlp", "cnn", "cnn-blue"]
    for axes, name in zip(panels(drawn["learning_curves"]), names, strict=True):
        emulator = study["emulators"][name]
        expected = float(emulator.epoch[np.argmin(emulator.validation_loss.values)])
        assert drawn_levels(axes, "x") == [expected]


def test_trainings_are_compared_by_passes_and_by_gradients(study, drawn):
    by_epoch, by_step = panels(drawn["training"])
    curves = {line.get_label(): line.get_xdata() for line in by_step.lines if not line.get_label().startswith("_")}
    assert {name: len(x) for name, x in curves.items()} == {
        "all": 40,
        "minibatch": 30,
        "stochastic": 20,
        "large-rate": 5,
    }
    assert (curves["all"][0], curves["minibatch"][0], curves["stochastic"][0]) == (1, 10, 640)
    failed = [line for line in by_epoch.lines if line.get_marker() == "x"]
    assert [line.get_xdata().tolist() for line in failed] == [[5.0]]


def test_learning_curves_without_networks_say_what_is_missing(study):
    with pytest.raises(FigureError, match="needs loss"):
        figures.plot("learning_curves", emulators={"ridge": study["emulators"]["ridge"]})


def test_rank_histograms_are_relative_to_a_flat_one(drawn):
    for axes in panels(drawn["ensemble_calibration"])[:6]:
        heights = [bar.get_height() for bar in axes.patches]
        assert len(heights) == 31
        assert np.mean(heights) == pytest.approx(1)


def test_error_against_spread_shows_all_bins_of_every_ensemble(study, drawn):
    axes = panels(drawn["ensemble_calibration"])[-1]
    low, high = axes.get_xlim()
    lines = [line.get_xydata() for line in axes.lines if len(line.get_xdata()) == 10]
    binned = [d for d in study["analysis_scores"].values() if "binned_error" in d]
    assert len(lines) == len(binned) > 1
    for line, dataset in zip(lines, binned, strict=True):
        np.testing.assert_allclose(line.T, [dataset["binned_spread"], dataset["binned_error"]])
        assert (low < line).all() and (line < high).all()


def test_a_spread_that_never_varies_has_no_bins_to_show(study):
    known = study["analysis_scores"]["etkf"]
    same = known.assign(binned_spread=known["binned_spread"] * 0 + 0.3)
    axes = panels(figures.plot("ensemble_calibration", analysis_scores={"etkf": same}))[-1]
    assert [line for line in axes.lines if len(line.get_xdata()) == 10] == []


def test_forecasts_shown_are_those_of_the_best_learned_models(study, drawn):
    titles = [axes.get_title(loc="left") for axes in panels(drawn["hovmoller_forecast"])]
    shown = [title.split(": ")[1] for title in titles if "forecast: " in title]
    learned = {n: d for n, d in study["forecast_scores"].items() if n not in ("lorenz96", "persistence", "climatology")}
    assert shown == sorted(learned, key=lambda name: -float(learned[name].valid_time_mean.mean()))[:3]


def test_running_mean_of_a_line_is_the_line_inside_and_skips_missing_values():
    values = np.arange(20.0)
    np.testing.assert_allclose(inputs.running_mean(values, 5)[2:-2], values[2:-2])
    values[10] = np.nan
    smooth = inputs.running_mean(np.where(np.isnan(values), np.nan, 3.0), 5)
    assert np.isnan(smooth[10])
    np.testing.assert_allclose(np.delete(smooth, 10), 3.0)


def test_loop_convergence_rings_the_cycle_with_the_best_innovation_score_and_draws_the_bounds(study):
    given = {kind: study[kind] for kind in ("loop_scores", "analysis_scores")}
    figure = figures.plot("loop_convergence", **given)
    first, last = panels(figure)[0], panels(figure)[-1]
    rings = [line for line in first.lines if line.get_markersize() == 7]
    assert {int(ring.get_xdata()[0]) for ring in rings} == {12, 2}
    expected = [float(study["analysis_scores"][n]["mean"].sel(score="rmse")) for n in ("interpolation", "etkf")]
    assert sorted(drawn_levels(first, "y")) == pytest.approx(sorted(expected))
    assert drawn_levels(last, "y") == []


def test_the_lower_bound_of_a_loop_is_its_own_filter_with_the_physical_model(study):
    scores = copies(study["loop_scores"])
    for dataset in scores.values():
        dataset.attrs["method"] = "enkf"
    figure = figures.plot("loop_convergence", loop_scores=scores, analysis_scores=study["analysis_scores"])
    expected = [float(study["analysis_scores"][n]["mean"].sel(score="rmse")) for n in ("interpolation", "enkf")]
    assert sorted(drawn_levels(panels(figure)[0], "y")) == pytest.approx(sorted(expected))


def test_loop_convergence_leaves_out_cycles_that_a_stopped_loop_only_handed_on(study):
    scores = copies(study["loop_scores"])
    scores["ours.3"] = scores["ours.3"].assign_attrs(loop_status="stopped")
    figure = figures.plot("loop_convergence", loop_scores=scores)
    drawn = [line.get_xdata() for line in panels(figure)[0].lines if line.get_label() == "ours"]
    drawn = drawn or [c.lines[0].get_xdata() for c in panels(figure)[0].containers if c.get_label() == "ours"]
    assert [list(x) for x in drawn] == [[1, 2]]


def test_a_row_for_every_coefficient_names_its_monomial_and_marks_two_standard_errors(study):
    polynomial = study["polynomials"]["windows"]
    axes = panels(figures.plot("coefficients", polynomials={"windows": polynomial}))[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == polynomial["monomial"].values.tolist()
    segments = axes.containers[0].lines[2][0].get_segments()
    widths = [segment[1, 0] - segment[0, 0] for segment in segments]
    assert widths == pytest.approx((4 * polynomial["coefficient_std"].values).tolist())


def test_a_sweep_over_members_is_a_curve_through_the_medians_of_the_best_settings(study, drawn):
    axes = panels(drawn["rmse_against_members"])[0]
    curve = next(line for line in axes.lines if line.get_color() == style.colour("etkf") and len(line.get_xdata()) == 7)
    best = study["sweeps"]["etkf"]["rmse_median"].min("inflation")
    np.testing.assert_allclose(curve.get_ydata(), best)
    np.testing.assert_array_equal(curve.get_xdata(), best["members"])


def test_published_numbers_are_open_marks_at_their_ensemble_size(study, drawn):
    lines = panels(drawn["rmse_against_members"])[0].lines
    marks = [line for line in lines if line.get_markerfacecolor() == "none"]
    etkf = next(line for line in marks if line.get_color() == style.colour("etkf") and len(line.get_xdata()) == 7)
    shown = dict(zip(etkf.get_xdata(), etkf.get_ydata(), strict=True))
    assert shown[10] == study["claims"]["base/etkf/members=10/rmse"].published
    assert np.isnan(shown[7])


def test_methods_without_an_ensemble_are_levels_and_variants_have_names_of_their_own(study, drawn):
    axes = panels(drawn["rmse_against_members"])[0]
    assert float(study["sweeps"]["3dvar"]["rmse_median"]) in drawn_levels(axes, "y")
    assert {"enkf-n, certainty 1", "enkf-n, certainty 2", "letkf-7", "published"} <= set(
        legend_texts(drawn["rmse_against_members"])
    )


def test_a_swept_setting_is_the_axis_and_members_are_the_curves(study, drawn):
    axes = panels(drawn["rmse_against_settings"])[1]
    median = study["sweeps"]["etkf"]["rmse_median"]
    assert axes.get_title(loc="left") == "(b) etkf" and axes.get_xlabel() == "Inflation (–)"
    curves = {line.get_label(): line for line in axes.lines if len(line.get_xdata()) == 2}
    assert {"members 5", "members 50"} <= set(curves) <= set(legend_texts(drawn["rmse_against_settings"]))
    np.testing.assert_array_equal(curves["members 50"].get_xdata(), median["inflation"])
    np.testing.assert_allclose(curves["members 50"].get_ydata(), median.sel(members=50))


def test_of_further_settings_the_best_is_drawn_and_lost_realizations_are_open_marks(study):
    sweep = study["sweeps"]["etkf"].expand_dims(localization_radius=[2.0, 4.0]).copy(deep=True)
    sweep["rmse_median"] = sweep["rmse_median"] * xr.DataArray([2.0, 1.0], dims="localization_radius")
    sweep["status"][0] = 1  # where it is not the best
    sweep["status"][1, 1] = 1
    figure = figures.plot("rmse_against_settings", grids={"etkf": sweep.transpose("inflation", ...)})
    (axes,) = panels(figure)
    median = study["sweeps"]["etkf"]["rmse_median"]
    lines = {line.get_label(): line for line in axes.lines}
    np.testing.assert_allclose(lines["members 50"].get_ydata(), median.sel(members=50))
    open_marks = [line for line in axes.lines if line.get_markerfacecolor() == "white"]
    assert open_marks and all(list(line.get_xdata()) == [1.05] for line in open_marks)


def test_sweeps_over_members_alone_have_no_other_setting_to_show(study):
    alone = study["sweeps"]["etkf"].isel(inflation=0)
    with pytest.raises(FigureError, match="another setting than the members"):
        figures.plot("rmse_against_settings", grids={"etkf": alone})
