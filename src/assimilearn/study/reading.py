"""Study files as YAML or JSON, read so that nothing is taken for what it is not.

Plain YAML keeps the last of two equal keys, reads ``1:30`` as 90 and ``010`` as 8, and turns the name ``no`` into
False: here each of these is a problem with its line. Merge keys (``<<``) and anchors are kept.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from assimilearn.errors import FileError
from assimilearn.study.problems import Problem

DEEPEST = 60  # mappings and lists within each other
LARGEST = 200_000  # values, aliases and merges written out
ENCODINGS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x00\x00\xfe\xff": "UTF-32"}
CORE = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "map", "seq", "merge")}
MERGE = "tag:yaml.org,2002:merge"
TEXT = "tag:yaml.org,2002:str"
MISREAD = (
    (re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?$"), "a number in base 60 or a time"),
    (re.compile(r"[-+]?0[0-9_]+$"), "a number with a leading zero, which may be octal"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?$"), "a date"),
)


class Config(NamedTuple):
    """What a file holds, and what is wrong with the way it is written."""

    content: Any
    problems: list[Problem]


class Loader(yaml.SafeLoader):
    """YAML's safe types, with numbers such as 1e-3 as in YAML 1.2 and without dates."""


Loader.yaml_implicit_resolvers = {
    first: [item for item in resolvers if item[0] != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$"), list("-+.0123456789")
)


def read_config(path: str | Path) -> Config:
    """Read a study file: JSON where the name ends in .json, YAML otherwise.

    Raises
    ------
    FileError
        If the file cannot be read, is not UTF-8, or is not YAML.
    """
    with _named(str(path)):
        text = _decoded(Path(path).read_bytes())
        return _from_json(text) if str(path).endswith(".json") else _from_yaml(text)


def read_text(text: str, what: str) -> Config:
    """Read settings from a text, YAML or JSON; see :func:`read_config`.

    Parameters
    ----------
    text : str
    what : what the text is, for messages
    """
    with _named(what):
        return _from_yaml(text)


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Turn whatever is wrong with a text into a FileError of one line, which begins with ``what``."""
    try:
        yield
    except OSError as error:
        raise FileError(f"{what}: cannot be read ({error.strerror})") from error
    except yaml.MarkedYAMLError as error:
        raise FileError(f"{what}: is not YAML: {_told(error)}") from error
    except yaml.YAMLError as error:
        raise FileError(f"{what}: is not YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise FileError(f"{what}: mappings and lists are nested too deeply") from error
    except (KeyError, AttributeError, TypeError, OverflowError) as error:
        raise FileError(f"{what}: a value does not fit the tag before it ({error})") from error
    except ValueError as error:
        raise FileError(f"{what}: {' '.join(str(error).split())}") from error


def _decoded(content: bytes) -> str:
    """The text of a file in UTF-8, with or without a byte order mark."""
    encoding = next((name for mark, name in ENCODINGS.items() if content.startswith(mark)), None)
    if encoding is None and b"\0" in content:
        encoding = "a binary file, or UTF-16"
    if encoding is not None:
        raise ValueError(f"the file is {encoding}: save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        byte = f"0x{content[error.start]:02x}"
        raise ValueError(f"line {line}: the byte {byte} is not UTF-8, perhaps Latin-1: save it as UTF-8") from error


def _told(error: yaml.MarkedYAMLError) -> str:
    """Place and reason of a syntax error, in one line."""
    mark = error.problem_mark or error.context_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    reason = " ".join((error.problem or error.context or "").split())
    if "'\\t'" in reason:
        reason += " (indent with spaces, not with tabs)"
    if reason == "but found another document":
        reason = "a second document begins here: give each study a file of its own"
    return place + reason


def _from_json(text: str) -> Config:
    problems: list[Problem] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        problems.extend(
            Problem(name, None, "stands twice in one mapping: keep one") for name in set(names) if names.count(name) > 1
        )
        return dict(pairs)

    return Config(json.loads(text, object_pairs_hook=once), problems)


def _from_yaml(text: str) -> Config:
    loader = Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return Config(None, [])
        _refuse_large(node, {}, [])
        problems = list(_problems(node, "", set()))
        return Config(loader.construct_document(node), problems)
    finally:
        loader.dispose()


def _refuse_large(node: yaml.Node, sizes: dict[int, int], above: list[int]) -> int:
    """Number of values below a node with all aliases written out; ValueError if there are too many or no end."""
    if id(node) in above:
        raise ValueError(f"line {node.start_mark.line + 1}: an alias stands inside what it stands for")
    if len(above) > DEEPEST:
        raise ValueError(f"line {node.start_mark.line + 1}: mappings and lists are nested too deeply")
    if id(node) not in sizes:
        below = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
        parts = [] if isinstance(node, yaml.ScalarNode) else below
        sizes[id(node)] = 1 + sum(_refuse_large(part, sizes, [*above, id(node)]) for part in parts)
        if sizes[id(node)] > LARGEST:
            raise ValueError(f"line {node.start_mark.line + 1}: aliases and merges make more than {LARGEST} values")
    return sizes[id(node)]


def _problems(node: yaml.Node, path: str, seen: set[int]) -> Iterator[Problem]:
    """Keys that stand twice or are no texts, and values that YAML would misread; each node once. Names become texts."""
    if id(node) in seen:
        return
    seen.add(id(node))
    line = node.start_mark.line + 1
    if node.tag not in CORE:
        yield Problem(path, None, f"line {line}: {node.tag.replace('tag:yaml.org,2002:', '!!')} is no kind of setting")
        node.tag = TEXT if isinstance(node, yaml.ScalarNode) else node.tag
    if isinstance(node, yaml.MappingNode):
        yield from _of_keys(node, path)
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
            yield from _problems(value, f"{path}.{name}" if path else name, seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _problems(value, f"{path}.{index}", seen)
    elif isinstance(node, yaml.ScalarNode) and node.style is None:
        for pattern, what in MISREAD:
            if pattern.match(node.value):
                message = f"line {line}: {node.value} could be {what}: write a plain number, or a text in quotes"
                yield Problem(path, None, message)


def _of_keys(node: yaml.MappingNode, path: str) -> Iterator[Problem]:
    """Keys of one mapping that stand twice or are no texts; those that are none become texts."""
    lines: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise ValueError(f"line {line}: a list or mapping cannot be a name")
        if key.tag == MERGE:
            continue
        place = f"{path}.{key.value}" if path else key.value
        if key.tag != TEXT:
            message = f'line {line}: names are texts, and {key.value} without quotes is not: write "{key.value}"'
            yield Problem(place, None, message)
            key.tag = TEXT
        if key.value in lines:
            yield Problem(place, None, f"stands twice, in line {lines[key.value]} and in line {line}: keep one")
        lines[key.value] = line
