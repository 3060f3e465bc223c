"""A trained network as an ONNX graph: made once by torch, run by ONNX Runtime without it, on one thread."""

import io
from typing import Any

import numpy as np

from assimilearn.errors import FileError, SettingsError

INPUTS = ("state", "innovation", "observed", "error", "memory")
OUTPUTS = ("increment", "memory_after")


def exported(module: Any, grid: tuple[int, ...]) -> np.ndarray:
    """The network as the bytes of a graph, (byte,), uint8; rows, and points of the last axis, may be any number.

    Raises
    ------
    SettingsError
        If it cannot be exported.
    """
    import warnings

    import torch

    channels = [grid[0]] * 4 + ([module.memory] if module.memory else [])
    given = tuple(torch.zeros(2, count, *grid[1:]) for count in channels)
    names = [INPUTS[: len(given)], OUTPUTS[: 1 + bool(module.memory)]]
    free = {name: {0: "row", len(grid): "point"} for name in (*names[0], *names[1])}
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter that keeps rows free calls itself old
        try:
            torch.onnx.export(
                _whole(module),
                given,
                file,  # type: ignore[arg-type]  # it takes files too
                input_names=list(names[0]),
                output_names=list(names[1]),
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
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as errors

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4
        data = np.ascontiguousarray(content, dtype=np.uint8).tobytes()
        try:
            self.session: Any = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except (
            *(errors.Fail, errors.InvalidArgument, errors.InvalidGraph, errors.InvalidProtobuf),
            *(errors.NotImplemented, errors.RuntimeException, errors.NoSuchFile, RuntimeError),
        ) as error:
            raise FileError(f"the graph of the network cannot be read: {str(error).splitlines()[0]}") from error
        self.taken = [node.name for node in self.session.get_inputs()]  # a graph has no input that it does not use
        given = {node.name: node.shape for node in self.session.get_outputs()}
        if not {*self.taken} <= {*INPUTS} or list(given) not in ([*OUTPUTS], [*OUTPUTS[:1]]):
            raise FileError("the graph of the network is not that of a learned analysis step")
        self.memory = int(given[OUTPUTS[1]][1]) if OUTPUTS[1] in given else 0

    def __call__(self, given: list[np.ndarray], memory: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Increment and memory for the four fields of :func:`assimilearn.assimilators.network.inputs`."""
        arrays = dict(zip(INPUTS, [*given, memory], strict=True))
        found = self.session.run(None, {name: arrays[name].astype(np.float32) for name in self.taken})
        return found[0], found[1] if self.memory else memory
