"""The verb ``score-analysis``."""

from pathlib import Path

import click

from assimilearn import store
from assimilearn.cli.options import FILE, Origin, origin_options
from assimilearn.study.seeds import generator
from assimilearn.verification import score_analysis


@click.command("score-analysis")
@click.argument("analysis", type=FILE)
@click.argument("output", type=FILE)
@click.option("--observations", type=FILE, required=True, help="the observations that were assimilated")
@click.option("--truth", type=FILE, help="the truth; without it scores are in observation space only")
@origin_options
def command(analysis: Path, output: Path, observations: Path, truth: Path | None, origin: Origin) -> None:
    """Score the ANALYSIS of a file against the truth and the observations."""
    known = store.read(truth, require=["state"]) if truth else None
    analysed = store.read(analysis)
    rng = generator(origin.seed, "verification", origin.realization)
    dataset = score_analysis(analysed, store.read(observations), known, rng)
    dataset.attrs |= {key: analysed.attrs[key] for key in ("method", "model_kind", "settings") if key in analysed.attrs}
    origin.write(
        dataset, output, "analysis_scores", {}, {"analysis": analysis, "observations": observations, "truth": truth}
    )
