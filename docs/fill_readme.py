"""Put the numbers and the picture of the default study into the README: `make readme`."""

import re
import shutil
from pathlib import Path

from assimilearn.verification import read_scorecard
from assimilearn.verification.table import scores

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results" / "default"


def main() -> None:
    """Replace what stands between the marks of the README, and copy the picture."""
    readme = ROOT / "README.md"
    table = scores(read_scorecard(RESULTS / "scorecard.csv"))
    marked = re.compile(r"(<!-- table -->\n).*?(<!-- /table -->)", re.DOTALL)
    readme.write_text(marked.sub(lambda m: m[1] + "\n" + table + "\n" + m[2], readme.read_text()))
    shutil.copy2(RESULTS / "base" / "figures" / "hovmoller.png", ROOT / "docs" / "hovmoller.png")


if __name__ == "__main__":
    main()
