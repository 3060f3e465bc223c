"""A trained module as an ONNX graph: made once by torch, run by ONNX Runtime without it.

One thread, and none that spins: the caller owns the cores. A graph holds numbers and operations of a fixed list; to run
it executes nothing else.
"""

import io
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from assimilearn.errors import FileError

INPUT, NOISE = "z", "noise"
OUTPUTS = ("increments", "log_std", "memory")
TRIED = (2, 7, 15, 30)  # sizes of batches whose forecasts are compared with those of states alone
MOST_KEPT = 4  # numbers of rows for which a thread keeps arrays
SETTINGS = "assimilearn_settings"  # key in the graph's own description


def exported(step: Any, size: int, any_size: bool, settings: str) -> np.ndarray:
    """The module of one interval as the bytes of a graph, (byte,), uint8.

    Parameters
    ----------
    step : torch.nn.Module
        ``step(z (row, site + memory), noise (row, draws))`` -> increments, and what else it has of :data:`OUTPUTS`.
    size : number of sites
    any_size : whether the graph is to run for any number of sites
    settings : JSON that the graph keeps, so that a file with other settings is not taken for its own
    """
    import warnings

    import onnx
    import torch

    given = [torch.zeros(2, size + step.memory), *([torch.zeros(2, step.draws)] if step.draws else [])]
    file, free = io.BytesIO(), {0: "row", 1: "site"} if any_size else {0: "row"}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter that keeps batches free calls itself old
        found = step(*given)
        names = [OUTPUTS[0], *([OUTPUTS[1]] if len(found) > 1 + bool(step.memory) else [])]
        names += [OUTPUTS[2]] if step.memory else []
        inputs = [INPUT, NOISE][: len(given)]
        torch.onnx.export(
            step,
            tuple(given),
            file,  # type: ignore[arg-type]  # it takes files too
            input_names=inputs,
            output_names=names,
            dynamic_axes={name: free for name in (*inputs, *names)},
            dynamo=False,
            verbose=False,
        )
    graph = onnx.load_model_from_string(file.getvalue())
    onnx.helper.set_model_props(graph, {SETTINGS: settings})
    return np.frombuffer(graph.SerializeToString(deterministic=True), dtype=np.uint8)


class Graph:
    """A network that runs.

    Parameters
    ----------
    content : ndarray (byte,)
    size : number of sites

    Attributes
    ----------
    outputs : names of what it gives
    memory, draws : entries of its memory, and random numbers that it takes

    Raises
    ------
    FileError
        If the bytes are no graph, or its inputs and outputs are not those of a model of that size.
    """

    def __init__(self, content: np.ndarray, size: int) -> None:
        self.session, self.size, self._kept = opened(content), size, threading.local()
        widths = {node.name: node.shape[1:] for node in (*self.session.get_inputs(), *self.session.get_outputs())}
        self.outputs = [node.name for node in self.session.get_outputs()]
        self.memory, self.draws = (sum(widths.get(name, [0])) for name in (OUTPUTS[2], NOISE))
        width = ["site"] if widths.get(INPUT) == ["site"] else [size + self.memory]
        of_states = ["site"] if width == ["site"] else [size]
        expected = {INPUT: width, OUTPUTS[0]: of_states} | ({NOISE: [self.draws]} if self.draws else {})
        expected |= {name: of_states for name in self.outputs if name == OUTPUTS[1]}
        expected |= {OUTPUTS[2]: [self.memory]} if self.memory else {}
        if widths != expected:
            raise FileError(f"the graph of the network does not map states of {size} sites")

    def run(self, z: np.ndarray, noise: np.ndarray | None, together: bool) -> dict[str, np.ndarray]:
        """What the graph gives for ``z (row, site + memory)`` by name; without noise for zeros.

        Arrays are written anew by the next run in the same thread.
        """
        if not together and len(z) > 1:
            ones = [slice(k, k + 1) for k in range(len(z))]
            rows = [self._copied(z[one], None if noise is None else noise[one]) for one in ones]
            return {name: np.concatenate([row[name] for row in rows]) for name in self.outputs}
        bound = self.bound(len(z))
        bound.given[INPUT][:] = z
        if self.draws:
            bound.given[NOISE][:] = 0 if noise is None else noise
        return bound.run()

    def _copied(self, z: np.ndarray, noise: np.ndarray | None) -> dict[str, np.ndarray]:
        return {name: values.copy() for name, values in self.run(z, noise, together=True).items()}

    def bound(self, rows: int) -> "Bound":
        """Arrays of this thread for so many rows; those of the last few sizes are kept."""
        kept: dict[Any, Bound] = self._kept.__dict__
        if rows not in kept:
            if len(kept) >= MOST_KEPT:
                kept.clear()
            widths = {INPUT: self.size + self.memory, NOISE: self.draws, OUTPUTS[2]: self.memory}
            kept[rows] = Bound(self.session, rows, lambda name: widths.get(name, self.size))
        return kept[rows]

    def alone_as_together(self) -> bool:
        """Whether a state has the same forecast, to the bit, alone and among others."""
        rng = np.random.default_rng(0)
        z, noise = (rng.standard_normal((max(TRIED), n)) for n in (self.size + self.memory, self.draws))
        alone = self.run(z, noise, together=False)
        for count in TRIED:
            found = self.run(z[:count], noise[:count], together=True)
            if not all(np.array_equal(found[name], alone[name][:count]) for name in self.outputs):
                return False
        return True


class Bound:
    """Inputs and outputs of a session at fixed places, so that a run makes no arrays.

    Parameters
    ----------
    session : of ONNX Runtime
    rows : int
    width : callable
        Name of an input or output -> number of its columns.

    Attributes
    ----------
    given, found : dict of name -> ndarray (row, column), float32
        What :meth:`run` reads and writes.
    """

    def __init__(self, session: Any, rows: int, width: Callable[[str], int]) -> None:
        from onnxruntime import OrtValue

        self.session, self.binding = session, session.io_binding()
        self.given = {node.name: np.zeros((rows, width(node.name)), np.float32) for node in session.get_inputs()}
        self.found = {node.name: np.zeros((rows, width(node.name)), np.float32) for node in session.get_outputs()}
        for name, values in self.given.items():
            self.binding.bind_ortvalue_input(name, OrtValue.ortvalue_from_numpy(values))
        for name, values in self.found.items():
            self.binding.bind_ortvalue_output(name, OrtValue.ortvalue_from_numpy(values))

    def run(self) -> dict[str, np.ndarray]:
        """``found``, from what stands in ``given``."""
        self.session.run_with_iobinding(self.binding)
        return self.found


def opened(content: np.ndarray) -> Any:
    """A session of ONNX Runtime.

    Raises
    ------
    FileError
        If the bytes are no graph.
    """
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    data = np.ascontiguousarray(content, dtype=np.uint8).tobytes()
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except (
        *(errors.Fail, errors.InvalidArgument, errors.InvalidGraph, errors.InvalidProtobuf),
        *(errors.NotImplemented, errors.RuntimeException, errors.NoSuchFile, RuntimeError),
    ) as error:
        raise FileError(f"the graph of the network cannot be read: {str(error).splitlines()[0]}") from error


def told_settings(content: np.ndarray) -> str:
    """The settings that a graph was made with, as JSON; empty if it tells none."""
    return str(opened(content).get_modelmeta().custom_metadata_map.get(SETTINGS, ""))
