"""The verb ``figure``."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import xarray as xr

from assimilearn import figures, store
from assimilearn.cli.inputs import refuse_others, usable
from assimilearn.cli.options import FILE, Output, settings_option
from assimilearn.contents import CONTENTS
from assimilearn.errors import FileError
from assimilearn.study.artifacts import kinds_of
from assimilearn.verification import Claim

ONE = ("truth", "observations", "withheld", "model")
"""Kinds of which a figure takes one file; of the others it takes any number."""

IN_FIGURES = ("climatology", *(kind for kind in CONTENTS if kind in figures.KINDS))
MADE_FROM = ("truth", "observations")


@click.command("figure")
@click.argument("name", type=click.Choice(list(figures.FIGURES)))
@click.argument("output", type=Output(".pdf", ".svg", ".png"))
@click.argument("files", type=FILE, nargs=-1, required=True)
@settings_option(dict[str, Claim], "--claims", help="published numbers to draw, by the row of the scorecard")
@settings_option(dict[str, dict[str, float]], "--variations", help="settings that vary, and their values by scenario")
def command(
    name: str,
    output: Path,
    files: tuple[Path, ...],
    claims: dict[str, Claim],
    variations: dict[str, dict[str, float]],
) -> None:
    """Draw the figure NAME from FILES and save it as OUTPUT, with .pdf, .svg and .png beside each other.

    Each file says itself what it is, so their order only sets the order in legends. A scorecard ends in .csv.
    """
    rows = rows_of([path for path in files if path.suffix == ".csv"])
    given = {path: read(path) for path in files if path.suffix != ".csv"}
    refuse_unrelated(given)
    datasets = by_kind(list(given.values()))
    figures.save(figures.plot(name, **datasets, rows=rows, claims=claims, variations=variations), output)


def read(path: Path) -> xr.Dataset:
    """A file that figures can show."""
    file = store.read(path, *IN_FIGURES)
    return usable(path, file) if file.attrs["kind"] == "observations" else file


def rows_of(scorecards: list[Path]) -> list[Any]:
    """The rows of all scorecards; their reader is imported only where there is one."""
    if not scorecards:
        return []
    from assimilearn.verification import read_scorecard

    return [row for path in scorecards for row in read_scorecard(path)]


def refuse_unrelated(given: Mapping[Path, xr.Dataset]) -> None:
    """Raise FileError if one of the files was made from other observations, or another truth, than those given."""
    sources = {role: [path for path, file in given.items() if file.attrs["kind"] == role] for role in MADE_FROM}
    for path, file in given.items():
        for role in MADE_FROM[1:] if file.attrs["kind"] == "truth" else MADE_FROM:
            for source in sources[role]:
                refuse_others(path, file, **{role: source})


def by_kind(datasets: list[xr.Dataset]) -> dict[str, Any]:
    """Datasets as the figures take them: one per kind, or a mapping of node names.

    Raises
    ------
    FileError
        If two files of a kind are given where one is taken.
    """
    given: dict[str, Any] = defaultdict(dict)
    for dataset in datasets:
        kinds, node = kinds_of(dataset), dataset.attrs.get("node")
        for kind in kinds:
            if kind not in ONE:
                given[kind][node] = dataset
            elif kind in given:
                raise FileError(f"two files of the kind {kind!r} are given, a figure takes one")
            else:
                given[kind] = dataset
    return dict(given)
