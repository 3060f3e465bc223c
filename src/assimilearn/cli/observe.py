"""The verb ``observe``."""

from pathlib import Path

import click

from assimilearn import store
from assimilearn.cli.options import FILE, NETCDF, Origin, origin_options, settings_option
from assimilearn.observations.observe import ObservationSettings, observe
from assimilearn.study.seeds import generator


@click.command("observe")
@click.argument("truth", type=FILE)
@click.argument("output", type=NETCDF)
@settings_option(ObservationSettings)
@origin_options
def command(truth: Path, output: Path, settings: ObservationSettings, origin: Origin) -> None:
    """Observe the TRUTH of a file with noise and write the observations to OUTPUT."""
    rng = generator(origin.seed, "observations", origin.realization)
    dataset = observe(store.read(truth, "truth"), settings, rng)
    origin.write(dataset, output, "observations", settings, {"truth": truth, "network": settings.network.file})
