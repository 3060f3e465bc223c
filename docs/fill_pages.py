"""Put tables and pictures of the studies that have been run into the README and the pages: `make readme`, `make pages`.

A table stands between two marks of a page, ``<!-- NAME -->`` and ``<!-- /NAME -->``. Where a study has no scorecard
yet, or a picture is not there, the page keeps what it has. The list of parts is that of `assimilearn parts`.
"""

import re
import shutil
from pathlib import Path
from typing import NamedTuple

from assimilearn.study.listing import parts
from assimilearn.verification import read_scorecard
from assimilearn.verification.table import TABLES

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"


class Place(NamedTuple):
    """Where a table of a scorecard stands."""

    page: str
    mark: str
    study: str
    table: str


PLACES = (
    Place("README.md", "table", "default", "scores"),
    Place("docs/published-numbers.md", "sakov2008", "sakov2008", "claims"),
    Place("docs/published-numbers.md", "curve", "dapper-curve", "claims"),
    Place("docs/models.md", "claims", "models", "claims"),
    Place("docs/models.md", "models", "models", "scores"),
    Place("docs/learned-analysis.md", "learned", "learned-analysis", "claims"),
    Place("docs/learned-analysis.md", "generative", "generative", "claims"),
    Place("docs/learned-analysis.md", "joint", "joint", "claims"),
    Place("docs/searching.md", "tuning", "tuning", "claims"),
    Place("docs/searching.md", "halving", "halving", "claims"),
    Place("docs/learning-from-windows.md", "ingredients", "brajard2020-ablation", "medians"),
    Place("docs/learning-from-windows.md", "methods", "learned-model-methods", "models"),
    Place("docs/learning-from-windows.md", "particles", "learned-model-particles", "models"),
    Place("docs/learning-from-windows.md", "scorecard", "brajard2020", "claims"),
)
PICTURES = {
    "docs/hovmoller.png": "default/base/figures/hovmoller.png",
    "docs/loops.png": "brajard2020/first/figures/loop_convergence.png",
    "docs/skill.png": "brajard2020/first/figures/forecast_skill.png",
    "docs/lyapunov-spectrum.png": "brajard2020/first/figures/lyapunov_spectrum.png",
    "docs/published-sakov2008.png": "sakov2008/figures/published.png",
    "docs/rmse-against-members.png": "dapper-curve/base/figures/rmse_against_members.png",
    "docs/rmse-against-inflation.png": "dapper-curve/base/figures/rmse_against_settings.png",
    "docs/search-surrogate.png": "tuning/base/figures/search_surrogate.png",
    "docs/search-progress.png": "tuning/base/figures/search_progress.png",
    "docs/sensitivity.png": "brajard2020-sensitivity/figures/sensitivity.png",
}


def main() -> None:
    """Fill every page from the results that there are."""
    for place in PLACES:
        scorecard = RESULTS / place.study / "scorecard.csv"
        if scorecard.is_file():
            page = ROOT / place.page
            page.write_text(filled(page.read_text(), place.mark, TABLES[place.table](read_scorecard(scorecard))))
    (ROOT / "docs" / "parts.md").write_text(parts())
    for picture, figure in PICTURES.items():
        if (RESULTS / figure).is_file():
            shutil.copy2(RESULTS / figure, ROOT / picture)


def filled(text: str, mark: str, table: str) -> str:
    """The text of a page with ``table`` between its marks."""
    marked = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
    return marked.sub(lambda m: m[1] + "\n" + table + "\n" + m[2], text)


if __name__ == "__main__":
    main()
