"""The verb ``best-cycle``."""

import json
from pathlib import Path

import click

from assimilearn import store
from assimilearn.cli.options import NETCDF, Origin, naming, origin_options
from assimilearn.errors import FileError
from assimilearn.loops import best_cycle, kept

FOLDER = click.Path(path_type=Path)


@click.command("best-cycle")
@click.argument("analysis", type=NETCDF)
@click.argument("emulator", type=NETCDF)
@click.argument("folders", type=FOLDER, nargs=-1, required=True)
@origin_options
def command(analysis: Path, emulator: Path, folders: tuple[Path, ...], origin: Origin) -> None:
    """Copy ANALYSIS and EMULATOR from that of the FOLDERS, one a cycle, in order, with the best innovation score."""
    end = folders[-1] / "analysis.nc"
    last = store.read(end, "analyses")
    with naming(end):
        number = best_cycle(last)
    if number > len(folders):
        raise FileError(f"{end}: the best cycle is number {number}, and {len(folders)} folders are given: give all")
    best = folders[number - 1]
    parts = (("analysis", analysis, "analyses"), ("emulator", emulator, "emulators"))
    sources = [best / f"{name}.nc" for name, _, _ in parts]
    files = [store.read(source, kind) for source, (_, _, kind) in zip(sources, parts, strict=True)]
    for source, file, (_, output, kind) in zip(sources, files, parts, strict=True):
        made_from = json.loads(file.attrs.get("inputs", "{}"))
        origin.write(kept(file, last), output, kind, {}, {"best": source, "last": end}, made_from)
