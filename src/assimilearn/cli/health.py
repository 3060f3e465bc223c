"""What a verb says, and so its log, of a run that is not sound."""

from collections.abc import Mapping
from typing import Any

import click


def tell_health(name: str, attributes: Mapping[str, Any]) -> None:
    """One line to standard error if the ``status`` is not "ok": what became of the run ``name``, when and why."""
    status = attributes.get("status", "ok")
    if status != "ok":
        when = f" at {attributes['diverged_at']:g} MTU" if "diverged_at" in attributes else ""
        click.echo(f"{name}: {status}{when}: {attributes.get('reason', 'no reason recorded')}", err=True)
