"""Runs DAPPER's filters for `assimilation.py`, in an environment of its own: one JSON request a line, one answer.

A request names a file with truth and observations, the method and its settings. Two times are answered, in seconds of
processor time: of a whole run as its users make it, with DAPPER's statistics, and of bare calls of model and analysis.
"""

import json
import sys
import time

ANSWERS, sys.stdout = sys.stdout, sys.stderr  # DAPPER prints warnings, also when it is imported

import dapper.da_methods as da
import dapper.mods as modelling
import numpy as np
from dapper.da_methods.ensemble import EnKF_analysis, local_analyses, post_process
from dapper.mods.Lorenz96 import dstep_dx, step
from dapper.tools import progressbar
from dapper.tools.localization import nd_Id_localization
from dapper.tools.seeding import set_seed

progressbar.disable_progbar = True


def experiment(first, steps, time_step, burn_in):
    """The settings of DAPPER's mods/Lorenz96/sakov2008.py for any size and length, started at the true state."""
    size = first.size
    times = modelling.Chronology(time_step, dko=1, Ko=steps - 1, Tplot=10, BurnIn=burn_in * time_step)
    dynamics = modelling.Operator(M=size, model=step, linear=dstep_dx, noise=0)
    seen = modelling.partial_Id_Obs(size, np.arange(size))
    observation = modelling.Operator(**seen, noise=1, localizer=nd_Id_localization((size,), (2,)))
    return modelling.HiddenMarkovModel(dynamics, observation, times, modelling.GaussRV(mu=first, C=0.001))


def as_run(hmm, truth, observations, method, settings):
    """Seconds of a run with statistics, and rmse.a at every observation time."""
    filter = getattr(da, method)(**settings)
    start = time.process_time()
    filter.assimilate(hmm, truth, observations)
    seconds = time.process_time() - start
    return seconds, np.array(filter.stats.err.rms.a)


def bare(hmm, observations, method, settings):
    """Seconds of the calls of model, analysis and inflation alone; None where the method has no such calls."""
    if method not in ("EnKF", "LETKF"):
        return None
    E = hmm.X0.sample(settings["N"])
    inflation, rotation = settings.get("infl", 1.0), settings.get("rot", False)
    start = time.process_time()
    for _, ko, t, dt in hmm.tseq.ticker:
        E = hmm.Dyn(E, t - dt, dt)
        operator = hmm.Obs(ko)
        if method == "EnKF":
            E = EnKF_analysis(E, operator(E), operator.noise, observations[ko], settings["upd_a"])
        else:
            batches, taper = operator.localizer(settings["loc_rad"], "x2y", "GC")
            E, _ = local_analyses(E, operator(E), operator.noise.C, observations[ko], batches, taper)
        E = post_process(E, inflation, rotation)
    return time.process_time() - start


def main():
    for line in sys.stdin:
        request = json.loads(line)
        with np.load(request["file"], allow_pickle=False) as file:
            truth, observations = file["truth"], file["observations"]
        hmm = experiment(truth[0], len(observations), request["time_step"], request["burn_in"])
        set_seed(request["seed"])
        method, settings = request["method"], request["settings"]
        calls = bare(hmm, observations, method, settings)
        answer = {"bare": calls}
        if not request["only_bare"]:
            whole, rmse = as_run(hmm, truth, observations, method, settings)
            answer |= {"as_run": whole, "rmse": float(rmse[request["burn_in"] :].mean())}
        print(json.dumps(answer), file=ANSWERS, flush=True)


if __name__ == "__main__":
    main()
