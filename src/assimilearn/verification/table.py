"""The scorecard as short Markdown tables: what a README or a page shows of a study."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from assimilearn.verification.references import REFERENCES
from assimilearn.verification.scorecards import Row

ANALYSIS = {"rmse": "rmse", "rmse_observed": "observed", "rmse_unobserved": "unobserved sites", "spread": "spread"}
UNSEEN = {
    "withheld_rmse": "rmse at withheld values",
    "withheld_spread": "predicted",
    "withheld_crps": "CRPS",
    "innovation_rmse": "rms innovation",
}
FORECAST = {"valid_time_lyapunov": "from analyses", "valid_time_from_truth_lyapunov": "from true states"}
SUMMARY = {
    "rmse": "rmse",
    "rmse_ratio": "over the true model's",
    "valid_time_lyapunov": "valid time from analyses (LT)",
    "valid_time_from_truth_lyapunov": "from true states (LT)",
    "lyapunov_error_1": "error of lambda_1",
}
DASH = "-"


def scores(rows: Iterable[Row]) -> str:
    """Two tables: analyses, and valid prediction times in Lyapunov times.

    Values are means over the test period with their standard errors, and no digits that another processor, on which
    single states are other ones, would not find again; a dash stands where a score does not exist. Of a study without a
    truth they are those of :func:`record`.
    """
    rows = list(rows)
    if not any(row.name.endswith(("/rmse", *(f"/{score}" for score in FORECAST))) for row in rows):
        return record(rows)
    return _of_nodes("analysis", rows, ANALYSIS) + "\n" + _of_nodes("valid prediction time", rows, FORECAST)


def record(rows: Iterable[Row]) -> str:
    """Two tables of a record without a truth: analyses at withheld values and by innovations; forecasts by lead.

    Each line of the second is a model at a lead: its error and its skill over the three references.
    """
    rows = list(rows)
    first = next((score for score in UNSEEN if any(row.name.endswith(f"/{score}") for row in rows)), "innovation_rmse")
    columns = {score: title for score, title in UNSEEN.items() if score == first or first == next(iter(UNSEEN))}
    by_name = {row.name: row for row in rows}
    places = [row.name.partition("/verified_rmse_at_") for row in rows if "/verified_rmse_at_" in row.name]
    several = len({node.split("/")[0] for node, _, _ in places}) > 1
    lines = [
        [
            node if several else node.split("/", 1)[1],
            by_name[f"{node}/verified_rmse_at_{lead}"].source.split(",")[0] or lead,
            _cell(by_name[f"{node}/verified_rmse_at_{lead}"]),
            *(_cell(by_name.get(f"{node}/skill_over_{name}_at_{lead}")) for name in REFERENCES),
        ]
        for node, _, lead in places
    ]
    head = ["forecast", "lead", "rmse", *(f"skill over {name.replace('_', ' ')}" for name in REFERENCES)]
    return _of_nodes("analysis", rows, columns) + "\n" + _table(head, lines)


def models(rows: Iterable[Row]) -> str:
    """One line for every analysis with a learned model: its rmse beside that of the same method with the true one."""
    rows = list(rows)
    several = len({row.name.split("/")[0] for row in rows}) > 1
    ratios = {row.name.removesuffix("_ratio"): row for row in rows if row.name.endswith("/rmse_ratio")}
    lines = []
    for row in rows:
        if row.name in ratios and row.bound is not None:
            node = row.name.removesuffix("/rmse")
            label = node if several else node.split("/", 1)[1]
            bound = f"{row.bound[0]:.{decimals(row.uncertainty, row.value)}f}"
            lines.append([label, bound, _cell(row), _cell(ratios[row.name])])
    return _table(["analysis", "rmse with the true model", "with the learned model", "ratio"], lines)


def medians(rows: Iterable[Row]) -> str:
    """One line a node: medians over the scenarios, with the lowest and the highest value.

    Where a node has no value in a scenario, the number of those that have one is told.
    """
    found: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        scenario, _, rest = row.name.partition("/")
        node, _, score = rest.rpartition("/")
        if score in SUMMARY and "*" not in scenario:
            found.setdefault(node, {}).setdefault(score, []).append(row)
    columns = [score for score in SUMMARY if any(score in of_node for of_node in found.values())]
    lines = [[node, *(_median(of_node.get(score, [])) for score in columns)] for node, of_node in found.items()]
    return _table(["median (range)", *(SUMMARY[score] for score in columns)], lines)


def claims(rows: Iterable[Row]) -> str:
    """The rows that are held against a number: what was found, what was asked, and whether they agree."""
    lines = [
        [row.name, _cell(row), row.published, "yes" if row.passed else "**no**", row.source]
        for row in rows
        if row.published
    ]
    return _table(["row", "found", "published or asked", "agrees", "source"], lines)


TABLES: dict[str, Callable[[Iterable[Row]], str]] = {
    "scores": scores,
    "models": models,
    "record": record,
    "medians": medians,
    "claims": claims,
}
"""Every table by its name."""


def _of_nodes(title: str, rows: list[Row], columns: dict[str, str]) -> str:
    """One line per node that has the first of the scores, in the order of the scorecard."""
    by_name = {row.name: row for row in rows}
    first = next(iter(columns))
    nodes = [row.name.removesuffix(f"/{first}") for row in rows if row.name.endswith(f"/{first}")]
    several = len({node.split("/")[0] for node in nodes}) > 1
    lines = [
        [
            node if several else node.split("/", 1)[1],
            *(_cell(by_name.get(f"{node}/{score}")) for score in columns),
        ]
        for node in nodes
    ]
    return _table([title, *columns.values()], lines)


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    body = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *body]) + "\n"


def decimals(uncertainty: float | None, value: float) -> int:
    """Decimals that hold: up to the first digit of the uncertainty, or the second where the first is a 1.

    Four decimals at most: what is surer than that is round-off. Of a value without an uncertainty three significant
    digits are shown, and three decimals at most.
    """
    if not uncertainty or not np.isfinite(uncertainty):
        return min(3, max(0, 2 - _place(value))) if value else 3
    place = _place(uncertainty)
    return min(4, max(0, -place + (uncertainty / 10.0**place < 1.95)))


def _place(value: float) -> int:
    """Power of ten of the first digit."""
    return int(f"{abs(value):.0e}".partition("e")[2])


def _cell(row: Row | None) -> str:
    """A value with its uncertainty, as far as the digits hold; one that is only a lower bound says so."""
    if row is None or not np.isfinite(row.value):
        return DASH
    digits = decimals(row.uncertainty, row.value)
    if "lower bound" in row.source:
        return f"> {row.value:.{digits}f}"
    return f"{row.value:.{digits}f}" + (f" ± {row.uncertainty:.{digits}f}" if row.uncertainty else "")


def _median(rows: list[Row]) -> str:
    """Median and range of the values that there are, with the digits that hold in most of them."""
    there = [row for row in rows if np.isfinite(row.value)]
    if not there:
        return DASH
    values = np.array([row.value for row in there])
    digits = int(np.median([decimals(row.uncertainty, row.value) for row in there]))
    above = "> " if any("lower bound" in row.source for row in rows) else ""
    text = f"{above}{np.median(values):.{digits}f}"
    if len(there) > 1:
        text += f" ({values.min():.{digits}f} to {values.max():.{digits}f})"
    return text + (f", {len(there)} of {len(rows)}" if len(there) < len(rows) else "")
