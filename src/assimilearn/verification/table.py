"""The scorecard as a short Markdown table: how good the analyses are, and how far the forecasts reach."""

from collections.abc import Iterable

from assimilearn.verification.scorecards import Row

ANALYSIS = {"rmse": "rmse", "rmse_observed": "observed", "rmse_unobserved": "unobserved sites", "spread": "spread"}
FORECAST = {"valid_time_lyapunov": "from analyses", "valid_time_from_truth_lyapunov": "from true states"}


def markdown(rows: Iterable[Row]) -> str:
    """Two Markdown tables from the rows of a scorecard: analyses, and forecasts in Lyapunov times.

    Values are means over the test period with their standard errors; a dash stands where a score does not exist.
    """
    rows = list(rows)
    return "\n".join([*_table("analysis", rows, ANALYSIS), "", *_table("valid prediction time", rows, FORECAST)]) + "\n"


def _table(title: str, rows: list[Row], columns: dict[str, str]) -> list[str]:
    """One row per node that has any of the scores, in the order of the scorecard."""
    by_name = {row.name: row for row in rows}
    first = next(iter(columns))
    nodes = [row.name.removesuffix(f"/{first}") for row in rows if row.name.endswith(f"/{first}")]
    scenarios = {node.split("/")[0] for node in nodes}
    lines = [f"| {title} | {' | '.join(columns.values())} |", "|---" * (len(columns) + 1) + "|"]
    for node in nodes:
        label = node if len(scenarios) > 1 else node.split("/", 1)[1]
        cells = [_cell(by_name.get(f"{node}/{score}")) for score in columns]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return lines


def _cell(row: Row | None) -> str:
    """A value with its uncertainty; one that is only a lower bound says so."""
    if row is None or row.value != row.value:
        return "-"
    if row.source.startswith("lower bound"):
        return f"> {row.value:.2f}"
    return f"{row.value:.3f}" + (f" ± {row.uncertainty:.3f}" if row.uncertainty else "")
