"""Tables, figure and documentation page of the measurements of `assimilation.py`."""

import json
import os
import platform
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assimilearn.figures.style import BLACK, BLUE, TWO_COLUMNS, VERMILION, letter, new_figure, plain_log, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOLERANCE = 0.015  # on the difference of rmse.a
Rounds = list[dict[str, float]]


def report(document: dict[str, Any], folder: Path) -> None:
    """Write assimilation.json, .md, .svg and .png, and print the tables."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "assimilation.json").write_text(json.dumps(document, indent=1) + "\n")
    text = "\n".join([*case_table(document), "", *cost_table(document["costs"]), "", document["machine"]]) + "\n"
    (folder / "assimilation.md").write_text(text)
    figure = plot(document["costs"])
    for form in ("svg", "png"):
        figure.savefig(folder / f"assimilation.{form}", dpi=200)
    print(text)


def publish(folder: Path, docs: Path) -> None:
    """Put the tables between the marks of the documentation page, and the figure beside it."""
    page = docs / "assimilation-speed.md"
    marked = re.compile(r"(<!-- tables -->\n).*?(<!-- /tables -->)", re.DOTALL)
    text = (folder / "assimilation.md").read_text()
    page.write_text(marked.sub(lambda m: f"{m[1]}\n{text}\n{m[2]}", page.read_text()))
    shutil.copyfile(folder / "assimilation.png", docs / "assimilation-speed.png")


def machine() -> str:
    """Where this was measured, in one sentence."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{os.cpu_count()} cores of {processor()}; load averages at the end: {load}."


def processor() -> str:
    """The name of the processor."""
    try:
        named = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        named = None
    return named[1] if named else platform.processor() or platform.machine()


def case_table(document: dict[str, Any]) -> list[str]:
    """Both sides for every method: medians over rounds, with the lowest and the highest value."""
    titles = [
        "method",
        "rmse.a here / DAPPER",
        "here, one core",
        "DAPPER, bare calls",
        "ratio",
        "DAPPER as run",
        "ratio",
    ]
    titles += [f"sweep of 64, {document['workers']} threads", "ratio to as run"]
    lines = ["Milliseconds of a cycle.", "", f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for name, rounds in document["cases"].items():
        column = {key: np.array([r[key] for r in rounds]) for key in rounds[0]}
        cells = [
            name,
            f"{np.median(column['rmse']):.3f} / {np.median(column['peer_rmse']):.3f}"
            + (" **differ**" if disagree(rounds) else ""),
            spread(1e3 * column["ours"], "{:.3f}"),
            spread(1e3 * column["bare"], "{:.2f}"),
            spread(column["bare"] / column["ours"], "{:.0f}"),
            spread(1e3 * column["as_run"], "{:.2f}"),
            spread(column["as_run"] / column["ours"], "{:.0f}"),
            spread(1e3 * column["sweep"], "{:.3f}"),
            spread(column["as_run"] / column["sweep"], "{:.0f}"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def cost_table(costs: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Microseconds of the LETKF for one site and cycle, against the number of sites."""
    lines = [
        "Microseconds of a cycle for each site, LETKF with 20 members.",
        "",
        "| sites | here | DAPPER, bare calls |",
    ]
    lines.append("|---|---|---|")
    for row in costs["sites"]:
        theirs = f"{1e6 * row['bare'] / row['sites']:.0f}" if "bare" in row else "–"
        lines.append(f"| {row['sites']} | {1e6 * row['ours'] / row['sites']:.2f} | {theirs} |")
    return lines


def spread(values: np.ndarray, form: str) -> str:
    """Median, with the lowest and the highest value."""
    if np.isnan(values).any():
        return "–"
    return f"{form} [{form}, {form}]".format(np.median(values), values.min(), values.max())


def disagree(rounds: Rounds) -> bool:
    """Whether the two sides differ in rmse.a; NaN differs from everything."""
    ours, theirs = (np.median([r[key] for r in rounds]) for key in ("rmse", "peer_rmse"))
    return not abs(ours - theirs) <= TOLERANCE


def plot(costs: dict[str, list[dict[str, Any]]]) -> "Figure":
    """Time of a cycle against the number of sites and of members, on both sides."""
    with style():
        figure = new_figure(TWO_COLUMNS, 0.42 * TWO_COLUMNS)
        by_sites, by_members = figure.subplots(1, 2)
        lines(by_sites, costs["sites"], "sites", "letkf")
        for method in ("etkf", "letkf"):
            lines(by_members, [row for row in costs["members"] if row["method"] == method], "members", method)
        for place, (axes, across, title) in enumerate(
            ((by_sites, "Sites", "LETKF, 20 members"), (by_members, "Members", "40 sites"))
        ):
            axes.set(xlabel=f"{across} (number)", ylabel="Time of a cycle (ms)")
            for which in ("x", "y"):
                plain_log(axes, which)
            letter(axes, place, title)
        figure.legend(*by_members.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def lines(axes: Any, rows: list[dict[str, Any]], name: str, method: str) -> None:
    """The two curves of one method."""
    colour = {"letkf": VERMILION, "etkf": BLUE}.get(method, BLACK)
    for key, dash, marker, who in (("ours", "-", "o", "assimilearn"), ("bare", "--", "s", "DAPPER, bare calls")):
        there = [row for row in rows if key in row]
        x, y = [row[name] for row in there], [1e3 * row[key] for row in there]
        axes.plot(x, y, dash, color=colour, marker=marker, markersize=4, label=f"{method.upper()}, {who}")
