"""The program on the page docs/blue-is-ridge.md runs, and shows what the page says."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "blue-is-ridge.md"


def test_the_program_on_the_page_prints_three_zeros(capsys):
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    exec(compile(program, str(PAGE), "exec"), {})
    printed = [float(number) for number in capsys.readouterr().out.split()]
    assert len(printed) == 3
    assert max(printed) < 1e-6
