"""Options of the verbs that search and sweep: how many workers there are, and where."""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
from pydantic import TypeAdapter, ValidationError

from assimilearn.errors import SettingsError
from assimilearn.registry import first_line
from assimilearn.tuning.workers import AnyWorkers


@dataclass(frozen=True)
class Workers:
    """How many, and of which kind, as :func:`assimilearn.tuning.workers.pool` takes them."""

    count: int
    kind: AnyWorkers


class Kind(click.ParamType):
    """A word, or JSON."""

    name = "threads|processes|json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The validated settings of the workers; None where JSON says null."""
        if not isinstance(value, str):
            return value
        try:
            content = json.loads(value) if value[:1] in ('"', "{", "n") else value
            return None if content is None else TypeAdapter(AnyWorkers).validate_python(content)
        except (ValueError, ValidationError) as error:
            raise SettingsError(f"the option --on is not valid: {first_line(error)} (got {value})") from error


def workers_options(kind: AnyWorkers) -> Callable[..., Any]:
    """Options ``--workers`` and ``--on``, by default workers of a ``kind``; handed on together as ``workers``."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="changes no result")
        @click.option("--on", type=Kind(), help=f"where they run: threads, processes, Dask or SLURM; {kind} by default")
        @functools.wraps(function)
        def wrapped(workers: int, on: AnyWorkers | None, **arguments: Any) -> Any:
            return function(workers=Workers(workers, on or kind), **arguments)

        return wrapped

    return decorate
