import matplotlib
import numpy as np
import pytest
import xarray as xr

from assimilearn import figures
from assimilearn.figures import style

EMULATORS = ["persistence", "climatology", "ridge", "forest", "mlp", "cnn", "ridge-blue", "cnn-blue", "reservoir"]


def curves(names):
    epoch = np.arange(1, 6)
    return {name: xr.Dataset({"loss": ("epoch", 1.0 / epoch)}, coords={"epoch": epoch}) for name in names}


def drawn_colours(names):
    figure = figures.plot("learning_curves", emulators=curves(names))
    return {name: axes.lines[0].get_color() for name, axes in zip(names, figure.axes, strict=True)}


def test_colours_belong_to_names_and_stay_when_one_goes():
    everyone = drawn_colours(EMULATORS)
    for gone in ("persistence", "cnn", "reservoir"):
        rest = [name for name in EMULATORS if name != gone]
        assert drawn_colours(rest) == {name: everyone[name] for name in rest}


def test_the_models_of_the_default_study_look_different_from_each_other():
    looks = [style.look(name)[:2] for name in ("lorenz96", *EMULATORS[:-1])]
    assert len({str(look) for look in looks}) == len(looks)


def test_an_analysis_with_an_emulator_looks_like_the_emulator():
    assert style.look("etkf-cnn") == style.look("cnn")
    assert style.look("etkf-cnn-blue") == style.look("cnn-blue")
    assert style.colour("cnn-blue") == style.colour("cnn")
    assert style.look("cnn-blue")[1] != style.look("cnn")[1]


def test_any_name_has_a_look():
    for name in ("", "-", "etkf-", "a.b_c", "Größe", "17"):
        colour, _, marker = style.look(name)
        assert colour.startswith("#") and marker


def test_the_style_leaves_the_settings_of_matplotlib_alone(tmp_path):
    before = dict(matplotlib.rcParams)
    figures.save(figures.plot("learning_curves", emulators=curves(["cnn"])), tmp_path / "curve")
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
    ("units", "text"),
    [
        *((None, "State (–)"), ("1", "State (–)"), ("K", "State (K)")),
        *(("MTU-1", "State (1/MTU)"), ("m s-1", "State (m s-1)")),
    ],
)
def test_labels_have_units(units, text):
    assert style.label("State", units) == text


def test_saved_files_are_the_same_bytes_each_time(tmp_path, monkeypatch):
    for folder, epoch in (("a", "1000000000"), ("b", "1700000000")):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
        figure = figures.plot("learning_curves", emulators=curves(["cnn", "mlp"]))
        figures.save(figure, tmp_path / folder / "curves.pdf")
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["curves.pdf", "curves.png", "curves.svg"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_saved_paths_stand_beside_each_other_whatever_the_ending(tmp_path):
    figure = figures.plot("learning_curves", emulators=curves(["cnn"]))
    for given, name in (("one.svg", "one"), ("v0.2", "v0.2")):
        expected = [tmp_path / f"{name}.{ending}" for ending in ("pdf", "svg", "png")]
        assert figures.save(figure, tmp_path / given) == expected
        assert all(path.is_file() for path in expected)


def test_a_save_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    figure = figures.plot("learning_curves", emulators=curves(["cnn"]))
    first = figures.save(figure, tmp_path / "curve")[0].read_bytes()

    def half_a_file(path, **_):
        path.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(figure, "savefig", half_a_file)
    with pytest.raises(OSError, match="no space"):
        figures.save(figure, tmp_path / "curve")
    assert (tmp_path / "curve.pdf").read_bytes() == first
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".pdf", ".png", ".svg"]
