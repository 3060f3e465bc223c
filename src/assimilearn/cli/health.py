"""What a verb says, and so its log, of a run that is not sound."""

from collections.abc import Mapping
from typing import Any

import click


def tell_health(name: str, attributes: Mapping[str, Any]) -> None:
    """Lines to standard error: what became of the run ``name``, when and why, and values that it did not use."""
    status = attributes.get("status", "ok")
    if status != "ok":
        when = f" at {attributes['diverged_at']:g} MTU" if "diverged_at" in attributes else ""
        click.echo(f"{name}: {status}{when}: {attributes.get('reason', 'no reason recorded')}", err=True)
    if "ignored_values" in attributes:
        count = attributes["ignored_values"]
        click.echo(f"{name}: {count} values are too far from the climatology to be right, and were not used", err=True)
