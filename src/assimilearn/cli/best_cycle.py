"""The verb ``best-cycle``."""

import json
from pathlib import Path

import click

from assimilearn import store
from assimilearn.cli.options import OUTPUT, Origin, origin_options
from assimilearn.loops import best_cycle, kept

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command("best-cycle")
@click.argument("analysis", type=OUTPUT)
@click.argument("emulator", type=OUTPUT)
@click.argument("folders", type=FOLDER, nargs=-1, required=True)
@origin_options
def command(analysis: Path, emulator: Path, folders: tuple[Path, ...], origin: Origin) -> None:
    """Copy ANALYSIS and EMULATOR from that of the FOLDERS, one a cycle, in order, with the best innovation score."""
    end = folders[-1] / "analysis.nc"
    last = store.read(end, "analyses")
    best = folders[best_cycle(last) - 1]
    for name, output, kind in (("analysis", analysis, "analyses"), ("emulator", emulator, "emulators")):
        source = best / f"{name}.nc"
        file = store.read(source, kind)
        made_from = json.loads(file.attrs["inputs"])
        origin.write(kept(file, last), output, kind, {}, {"best": source, "last": end}, made_from)
