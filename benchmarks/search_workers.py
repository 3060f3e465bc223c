"""Speed of the workers of searches: 200 trials of one second on two workers, and what handing them out costs.

    python benchmarks/search_workers.py [--trials 200] [--seconds 1]

The trials sleep, so the time beyond `trials x seconds / workers` is that of starting workers and of dispatch.
"""

import argparse
from time import perf_counter, sleep

from assimilearn.tuning.workers import pool

WORKERS = 2


def trial(number: int, seconds: float) -> int:
    """One trial."""
    sleep(seconds)
    return number


def main() -> None:
    """Print, for threads and processes, the speed-up over one worker and the share of dispatch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=1.0)
    given = parser.parse_args()
    alone = given.trials * given.seconds
    for kind in ("threads", "processes"):
        begun = perf_counter()
        with pool(kind, WORKERS, trial) as hands:
            results = list(hands.results((k, given.seconds) for k in range(given.trials)))
        taken = perf_counter() - begun
        assert results == list(range(given.trials))
        overhead = taken * WORKERS / alone - 1
        print(f"{kind:10s} {taken:6.1f} s, {alone / taken:.2f} x one worker, dispatch {overhead:.1%}")


if __name__ == "__main__":
    main()
