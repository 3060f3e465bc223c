"""The verb ``assimilate-again``."""

from pathlib import Path

import click
from pydantic import TypeAdapter

from assimilearn import store
from assimilearn.assimilation import AnyAnalysis
from assimilearn.cli.health import tell_health
from assimilearn.cli.inputs import read_observations, refuse_others
from assimilearn.cli.options import FILE, NETCDF, Origin, cycle_option, origin_options, settings_option
from assimilearn.loops import assimilate_again
from assimilearn.study.seeds import generator
from assimilearn.tuning.analyses import Tuned, TunedAnalysis


@click.command("assimilate-again")
@click.argument("observations", type=FILE)
@click.argument("output", type=NETCDF)
@click.option("--emulator", type=FILE, required=True, help="the emulator of this cycle")
@click.option("--previous", type=FILE, required=True, help="analysis of the cycle before, or the start of the loop")
@settings_option(TunedAnalysis, default='{"method": "etkf"}')
@cycle_option
@origin_options
def command(
    observations: Path,
    output: Path,
    emulator: Path,
    previous: Path,
    settings: TunedAnalysis,
    cycle: int,
    origin: Origin,
) -> None:
    """Assimilate the OBSERVATIONS of a file with the emulator of a cycle and write the analyses to OUTPUT.

    The climatology is that of the analysis before.
    All cycles meet the same random numbers, those of every other analysis.
    """
    learned, before = store.read(emulator, "emulators"), store.read(previous, "analyses")
    observed = read_observations(observations)
    refuse_others(previous, before, observations=observations)
    refuse_others(emulator, learned, analysis=previous, observations=observations)
    dataset = assimilate_again(
        observed,
        learned,
        before,
        TypeAdapter(AnyAnalysis).validate_python(settings.model_dump(exclude={*Tuned.model_fields})),
        generator(origin.seed, "analysis", origin.realization),
        settings.tune,
    )
    inputs = {"observations": observations, "emulator": emulator, "previous": previous}
    origin.write(dataset.assign_attrs(cycle=cycle), output, "analyses", settings, inputs)
    tell_health(output.stem, dataset.attrs)
