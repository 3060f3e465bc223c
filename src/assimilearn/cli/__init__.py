"""The command line: one verb per rule, each in its own file and imported only when it is asked for."""

import importlib
import logging
import os
import sys
import traceback
from typing import NoReturn

import click

from assimilearn import __version__
from assimilearn.cli.lean import import_xarray
from assimilearn.errors import AssimilearnError

DEBUG = "ASSIMILEARN_DEBUG"
"""The variable that does what the option --debug does, for the verbs of a workflow."""

VERBS = {
    "climate": "Run a physical model freely and describe its climate",
    "simulate": "Simulate the truth",
    "observe": "Observe the truth with noise",
    "ingest": "Check observations that you bring, and bring them into form",
    "climatology": "Describe the climatology of a record, from its training period",
    "ingest-truth": "Check a truth that you bring, and bring it into form",
    "assimilate": "Assimilate observations into forecasts of a model",
    "sweep": "Score a method over many settings, in realizations of a twin experiment",
    "tune": "Search the settings of an emulator by cross-validation in time",
    "tune-analysis": "Search the settings of an analysis, and of its emulator, on the validation period",
    "best": "Print what a search has chosen, as YAML for a study",
    "train": "Train an emulator on an analysis",
    "train-assimilator": "Train a learned analysis step",
    "learn-again": "Train the emulator of the next cycle of a loop",
    "assimilate-again": "Assimilate with the emulator of a cycle of a loop",
    "best-cycle": "Keep the best cycle of a loop",
    "score-analysis": "Score an analysis",
    "explain": "Say of each observation of one time why its increment is as large as it is",
    "explain-model": "Say which inputs a model uses and how, and how its Jacobian compares with the physical one",
    "score-forecasts": "Score the forecasts and the free run of a model",
    "train-classifier": "Train a classifier of events on an analysis, and forecast with it",
    "score-classifier": "Score the probabilities of a classifier",
    "measure-cost": "Measure what the training and a step of a model cost",
    "figure": "Draw a figure",
    "scorecard": "Collect the numbers of a study and hold them against published ones",
    "table": "Print the main numbers of a scorecard as Markdown",
    "check": "Check a study file and list every problem",
    "compile": "Compile the kernels of a study before it runs",
    "plan": "List the files that a study makes",
    "parts": "List every model, method, emulator, operator and figure",
    "reference": "Print the reference of all settings of a study file",
}


class Verbs(click.Group):
    """Verbs that are imported only when one of them is used, so that ``--help`` is instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, in the order of the chain."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb of that name, imported now."""
        if cmd_name not in VERBS:
            return None
        import_xarray()
        return importlib.import_module(f"assimilearn.cli.{cmd_name.replace('-', '_')}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in the help text, without importing a verb."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="assimilearn")
@click.option("--debug", is_flag=True, envvar=DEBUG, help=f"show the traceback of an error (also: {DEBUG}=1)")
def group(debug: bool) -> None:
    """Data assimilation and machine learning on chaotic geophysical models.

    Every verb reads files, calls one function, and writes one file; the workflow chains them, and each works by hand.
    """
    if debug:
        os.environ[DEBUG] = "1"
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s", datefmt="%H:%M:%S")
    for chatty in ("fontTools", "distributed"):  # they tell every glyph and every connection
        logging.getLogger(chatty).setLevel(logging.WARNING)
    if not sys.stderr.isatty():
        click.get_current_context().call_on_close(tell_cost)


def tell_cost() -> None:
    """Log the processor time of this process and its children: a log says what its job cost."""
    used = os.times()
    cpu = used.user + used.system + used.children_user + used.children_system
    logging.getLogger("assimilearn").info("%.2f s of processor time", cpu)


def main() -> None:
    """Run a verb; whatever goes wrong is one clear message, and its traceback is told with --debug only."""
    try:
        group(prog_name="assimilearn")
    except AssimilearnError as error:
        fail(str(error))
    except Exception as error:  # a mistake of ours: say where, and how to see more
        place = traceback.extract_tb(error.__traceback__)[-1]
        what = " ".join(f"{type(error).__name__}: {error}".split())
        fail(
            f"unexpected {what} ({place.filename}, line {place.lineno}); `assimilearn --debug ...` shows the traceback"
        )


def fail(message: str) -> NoReturn:
    """Print the message, after the traceback where it is asked for, and end with status 1."""
    if os.environ.get(DEBUG):
        traceback.print_exc()
    click.echo(f"error: {message}", err=True)
    sys.exit(1)
