"""The verb ``score-analysis``."""

from pathlib import Path

import click

from assimilearn import store
from assimilearn.cli.inputs import read_observations, read_one_of, refuse_others, refuse_others_of_truth, usable
from assimilearn.cli.options import FILE, NETCDF, Origin, origin_options, settings_option
from assimilearn.models.regions import Region
from assimilearn.study.seeds import generator
from assimilearn.verification import score_analysis

HANDED_ON = (
    "method",
    "model_kind",
    "settings",
    "cycle",
    "loop_status",
    "best_cycle",
    "cycles_run",
    "innovation_scores",
)


@click.command("score-analysis")
@click.argument("analysis", type=FILE)
@click.argument("output", type=NETCDF)
@click.option("--observations", type=FILE, required=True, help="the observations that were assimilated")
@click.option("--truth", type=FILE, help="the truth; without it scores are in observation space only")
@click.option("--withheld", type=FILE, help="what was withheld from the analysis: a file of `ingest --withheld`")
@settings_option(dict[str, Region], "--regions", help="named parts of the state that have scores of their own")
@origin_options
def command(
    analysis: Path,
    output: Path,
    observations: Path,
    truth: Path | None,
    withheld: Path | None,
    regions: dict[str, Region],
    origin: Origin,
) -> None:
    """Score the ANALYSIS of a file against the truth and the observations."""
    analysed, observed = store.read(analysis, "analyses"), read_observations(observations)
    known = read_one_of(truth, "truth")
    refuse_others(analysis, analysed, observations=observations)
    refuse_others_of_truth(observations, observed, truth, known)
    rng = generator(origin.seed, "verification", origin.realization)
    unseen = usable(withheld, store.read(withheld, "withheld")) if withheld else None
    dataset = score_analysis(analysed, observed, known, rng, unseen, regions)
    dataset.attrs |= {key: analysed.attrs[key] for key in HANDED_ON if key in analysed.attrs}
    kind = "loop_scores" if "cycle" in analysed.attrs else "analysis_scores"
    inputs = {"analysis": analysis, "observations": observations, "truth": truth, "withheld": withheld}
    origin.write(dataset, output, kind, {}, inputs)
