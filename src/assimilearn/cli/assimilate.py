"""The verb ``assimilate``."""

from pathlib import Path

import click

from assimilearn import store
from assimilearn.assimilation import AnyAnalysis, assimilate
from assimilearn.assimilation.streaming import assimilate_to_file, is_streamed
from assimilearn.cli.health import tell_health
from assimilearn.cli.models import open_any
from assimilearn.cli.options import FILE, Origin, origin_options, settings_option
from assimilearn.study.seeds import generator


@click.command("assimilate")
@click.argument("observations", type=FILE)
@click.argument("output", type=FILE)
@click.option("--model", type=FILE, required=True, help="the forecast model: a file of `climate` or `train`")
@click.option("--climate", type=FILE, required=True, help="file of `climate`: background and initial statistics")
@settings_option(AnyAnalysis, default='{"method": "etkf"}')
@origin_options
def command(
    observations: Path, output: Path, model: Path, climate: Path, settings: AnyAnalysis, origin: Origin
) -> None:
    """Assimilate the OBSERVATIONS of a file into forecasts of a model and write the analyses to OUTPUT."""
    rng = generator(origin.seed, "analysis", origin.realization)
    forecaster, kind = open_any(store.read(model))
    background = store.read(climate, require=["mean"])
    inputs = {"observations": observations, "model": model, "climate": climate}
    with store.opened(observations, require=["value", "error_std", "site_index", "valid"]) as observed:
        if is_streamed(observed, forecaster, settings):
            facts = origin.provenance(output, "analyses", settings, inputs)
            assimilate_to_file(observed, forecaster, settings, background, rng, output, **facts, model_kind=kind)
            with store.opened(output, require=["mean"]) as written:
                tell_health(output.stem, written.attrs)
            return
        observed.load()
    dataset = assimilate(observed, forecaster, settings, background, rng)
    dataset.attrs["model_kind"] = kind
    origin.write(dataset, output, "analyses", settings, inputs)
    tell_health(output.stem, dataset.attrs)
