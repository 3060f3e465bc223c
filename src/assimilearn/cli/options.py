"""Options that verbs share: settings as JSON or a YAML file, the seed, the label; and reading and writing with them."""

import functools
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click
import xarray as xr
from pydantic import TypeAdapter, ValidationError

from assimilearn import plugins, store
from assimilearn.errors import AssimilearnError, FileError, SettingsError
from assimilearn.registry import registry
from assimilearn.settings import LARGEST
from assimilearn.study.problems import problems_of
from assimilearn.study.reading import read_config, read_text
from assimilearn.whole import refuse_unwritable

FILE = click.Path(path_type=Path)


class Output(click.Path):
    """A file to be written; what cannot be is refused before anything is computed.

    Parameters
    ----------
    *endings : one of which its name must have
    """

    def __init__(self, *endings: str):
        super().__init__()
        self.endings = endings

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path."""
        path = Path(str(super().convert(value, param, ctx)))
        refuse_unwritable(path)
        if path.suffix not in self.endings:
            raise FileError(f"{path}: the name of what is written here ends in {' or '.join(self.endings)}")
        return path


NETCDF = Output(".nc")


class SettingsText(click.ParamType):
    """Settings given as a JSON text or as the path of a YAML file, validated at once."""

    name = "json|file"

    def __init__(self, kind: Any):
        self.adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The validated settings; every problem is listed at once."""
        if not isinstance(value, str):
            return value
        option = param.opts[0] if param else "settings"
        what = f"the option {option} is not valid:"
        settings = self._read(value, option)
        try:
            return self.adapter.validate_python(settings)
        except ValidationError as error:
            problems = problems_of(error, settings, self.adapter.json_schema())
            raise SettingsError("\n  ".join([what, *map(str, problems)])) from error

    def _read(self, value: str, option: str) -> Any:
        """What the text, or the file of that name, says."""
        inline = value.lstrip().startswith(("{", "[")) or value.strip().isdecimal()
        if not inline and not os.path.exists(value):
            raise SettingsError(f"the option {option} is neither JSON nor the path of a file: {value!r}")
        what = f"the option {option}" if inline else value
        content, problems = read_text(value, what) if inline else read_config(value)
        if problems:
            raise SettingsError("\n  ".join([f"{what}:", *map(str, problems)]))
        return content


def settings_option(kind: Any, name: str = "--settings", default: str = "{}", help: str = "") -> Callable[..., Any]:
    """An option that holds validated settings of one kind."""
    text = (help or "settings") + ": JSON, or the path of a YAML file"
    return click.option(name, type=SettingsText(kind), default=default, show_default=True, help=text)


class Origin(NamedTuple):
    """Where an artifact comes from: it goes into the file's attributes."""

    label: str
    seed: int
    realization: int

    def write(
        self,
        dataset: xr.Dataset,
        path: Path,
        kind: str,
        settings: Any,
        inputs: Mapping[str, Path | None],
        inherited: Mapping[str, str] = {},
    ) -> None:
        """Write ``dataset`` with its provenance.

        Parameters
        ----------
        kind : what the file is, by the names that the figures use: truth, observations, analyses, ...
        settings : validated settings, or a mapping of several
        inputs : files that it was made from, by role; None is left out
        inherited : digests of what those files were made from, by role
        """
        settings = dataset.attrs.get("settings") or settings
        store.write(dataset, path, **self.provenance(path, kind, settings, inputs, inherited))

    def provenance(
        self,
        path: Path,
        kind: str,
        settings: Any,
        inputs: Mapping[str, Path | None],
        inherited: Mapping[str, str] = {},
    ) -> dict[str, Any]:
        """Attributes for :func:`assimilearn.store.write`; ``settings`` may be their canonical JSON."""
        study, scenario, node = [*self.label.split("/"), "", "", ""][:3]
        return {
            "kind": kind,
            "study": study,
            "scenario": scenario,
            "node": node or path.stem,
            "plugin": ", ".join(map(str, registry().sources)) or None,
            "settings": settings if isinstance(settings, str) else plain(settings),
            "seed": self.seed,
            "realization": self.realization,
            "inputs": json.dumps(
                {**inherited, **{role: store.digest(p) for role, p in inputs.items() if p}}, sort_keys=True
            ),
        }


def plain(settings: Any) -> str:
    """Settings as canonical JSON."""
    if isinstance(settings, dict):
        parts = {name: json.loads(plain(value)) for name, value in settings.items()}
        return json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return settings.canonical()


def load_plugins(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> None:
    """Load plug-ins, given as paths from the working folder or as names of modules."""
    plugins.load(value)


plugin_option = click.option(
    "--plugin",
    multiple=True,
    metavar="FILE",
    is_eager=True,  # before settings are read, which may be those of its parts
    expose_value=False,
    callback=load_plugins,
    help="own parts: a Python file whose name ends in .py, or an importable module; may be given several times",
)


def origin_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options ``--plugin``, ``--label``, ``--seed`` and ``--realization``; the last three handed on as ``origin``."""

    @plugin_option
    @click.option("--label", default="", help="study/scenario/node, written into the file")
    @click.option("--seed", type=click.IntRange(0, LARGEST), default=0, show_default=True, help="seed of the study")
    @click.option("--realization", type=click.IntRange(0), default=0, show_default=True, help="which repetition")
    @functools.wraps(function)
    def wrapped(label: str, seed: int, realization: int, **arguments: Any) -> Any:
        return function(origin=Origin(label, seed, realization), **arguments)

    return wrapped


cycle_option = click.option("--cycle", type=click.IntRange(1), required=True, help="number of the cycle, from 1")


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the path before the message of whatever is wrong with a file that the user brought."""
    try:
        yield
    except AssimilearnError as error:
        message = str(error)
        raise FileError(message if message.startswith(str(path)) else f"{path}: {message}") from error
