"""A trained network as an ONNX graph: made once by torch, run by ONNX Runtime without it, on one thread."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from assimilearn.errors import FileError, SettingsError

INPUTS = ("state", "innovation", "observed", "error", "memory")
OUTPUTS = ("increment", "memory_after")
SET = ("features", "correction")


def exported(module: Any, grid: tuple[int, ...]) -> np.ndarray:
    """A network of one state as the bytes of a graph; rows, and points of the last axis, may be any number."""
    import torch

    channels = [grid[0]] * 4 + ([module.memory] if module.memory else [])
    given = tuple(torch.zeros(2, count, *grid[1:]) for count in channels)
    names = INPUTS[: len(given)], OUTPUTS[: 1 + bool(module.memory)]
    free = {name: {0: "row", len(grid): "point"} for name in (*names[0], *names[1])}
    return graph_of(_whole(module), given, *names, free)


def exported_set(module: Any, members: int, channels: int, grid: tuple[int, ...]) -> np.ndarray:
    """A network of an ensemble as the bytes of a graph; members, and points of the last axis, may be any number."""
    import torch

    free = {name: {1: "member", 2 + len(grid): "point"} for name in SET}
    return graph_of(module, (torch.zeros(1, members, channels, *grid),), SET[:1], SET[1:], free)


def graph_of(
    module: Any,
    given: tuple[Any, ...],
    inputs: Sequence[str],
    outputs: Sequence[str],
    free: Mapping[str, Mapping[int, str]],
) -> np.ndarray:
    """A module as the bytes of a graph, (byte,), uint8.

    Parameters
    ----------
    module : torch.nn.Module
    given : tensors of the shapes that it takes
    inputs, outputs : their names
    free : name -> axis that may have any length -> what it is

    Raises
    ------
    SettingsError
        If it cannot be exported.
    """
    import warnings

    import torch

    file = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter that keeps rows free calls itself old
        try:
            torch.onnx.export(
                module.eval(),
                given,
                file,  # type: ignore[arg-type]  # it takes files too
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_axes=free,
                dynamo=False,
                verbose=False,
            )
        except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
            reason = str(error).splitlines()[0]
            raise SettingsError(f"the network was trained, but cannot be exported: {reason}") from error
    return np.frombuffer(file.getvalue(), dtype=np.uint8)


def _whole(module: Any) -> Any:
    """The module with inputs and outputs without channels left out: a graph knows no empty tensors."""
    import torch

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, *given: Any) -> Any:
            memory = given[4] if len(given) == 5 else given[0][:, :0]
            increment, after = self.module(*given[:4], memory)
            return (increment, after) if len(given) == 5 else increment

    return Whole()


def session_of(content: np.ndarray) -> Any:
    """A session that runs a graph on one thread.

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


def names_of(session: Any) -> tuple[list[str], dict[str, Any]]:
    """Names of the inputs of a graph, and shapes of its outputs by name."""
    return [n.name for n in session.get_inputs()], {n.name: n.shape for n in session.get_outputs()}


class Graph:
    """A graph of :func:`exported`, ready to run.

    Parameters
    ----------
    content : ndarray (byte,), uint8

    Raises
    ------
    FileError
        If the bytes are no graph, or one with other inputs and outputs.
    """

    def __init__(self, content: np.ndarray):
        self.session = session_of(content)
        self.taken, given = names_of(self.session)  # a graph has no input that it does not use
        if not {*self.taken} <= {*INPUTS} or list(given) not in ([*OUTPUTS], [*OUTPUTS[:1]]):
            raise FileError("the graph of the network is not that of a learned analysis step")
        self.memory = int(given[OUTPUTS[1]][1]) if OUTPUTS[1] in given else 0

    def __call__(self, given: list[np.ndarray], memory: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Increment and memory for the four fields of :func:`assimilearn.assimilators.network.inputs`."""
        arrays = dict(zip(INPUTS, [*given, memory], strict=True))
        found = self.session.run(None, {name: arrays[name].astype(np.float32) for name in self.taken})
        return found[0], found[1] if self.memory else memory


class SetGraph:
    """A graph of :func:`exported_set`, ready to run; parameters and errors are those of :class:`Graph`."""

    def __init__(self, content: np.ndarray):
        self.session = session_of(content)
        taken, given = names_of(self.session)
        if [*taken, *given] != [*SET]:
            raise FileError("the graph of the network is not that of a correction of an ensemble")

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Correction (ensemble, member, field, *grid) for features (ensemble, member, channel, *grid)."""
        found: np.ndarray = self.session.run(None, {SET[0]: features.astype(np.float32)})[0]
        return found
