"""Tables of text: a header line with names, then a line of fields each; commas, semicolons or tabs between them."""

import codecs
import csv
from pathlib import Path
from typing import NamedTuple

from assimilearn.errors import FileError

TABLES = (".csv", ".tsv", ".txt")
SEPARATORS = ",;\t"


class Table(NamedTuple):
    """What a table holds.

    Attributes
    ----------
    names : of the columns, as the header has them
    rows : fields of each line
    lines : numbers of the lines, from 1
    header : number of the line with the names
    """

    names: list[str]
    rows: list[list[str]]
    lines: list[int]
    header: int


def read_table(path: Path, needed: str) -> Table:
    """The table in a file; empty lines, and those before the header that begin with #, are left out.

    Parameters
    ----------
    path : path of a text file
    needed : what is needed, for the message where nothing is there

    Raises
    ------
    FileError
        If it cannot be read, holds nothing below its header, or a line has another number of fields.
    """
    lines = text_of(path).splitlines()
    first = next((k for k, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")), len(lines))
    if first == len(lines):
        raise FileError(f"{path}: it is empty; {needed}")
    separator = max(SEPARATORS, key="".join(lines[first : first + 1]).count)
    reader = csv.reader((line + "\n" for line in lines[first:]), delimiter=separator)
    rows, numbers = [], []
    try:
        names = [name.strip() for name in next(reader, [])]
        for fields in reader:
            line = first + reader.line_num
            if fields and len(fields) != len(names):
                raise FileError(f"{path}, line {line}: it has {len(fields)} fields, the header {len(names)}")
            if fields:
                rows.append(fields)
                numbers.append(line)
    except csv.Error as error:
        raise FileError(f"{path}, line {first + reader.line_num}: {error}") from error
    if not rows:
        raise FileError(f"{path}: it lists no observation below its header")
    return Table(names, rows, numbers, first + 1)


def text_of(path: Path) -> str:
    """The text of a file in UTF-8 or UTF-16; bytes that are neither, as in names in Latin-1, are read as Latin-1."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror})") from error
    if b"\0" in content and not content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise FileError(f"{path}: this is no text")
    try:
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return content.decode("utf-16")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")
