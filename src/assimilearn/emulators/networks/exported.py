"""A trained module as an ONNX graph: made once by torch, run by ONNX Runtime without it.

One thread, and none that spins: the caller owns the cores. A graph holds numbers and operations of a fixed list; to run
it executes nothing else.
"""

import io
from typing import Any

import numpy as np

from assimilearn.errors import FileError

INPUT, OUTPUT = "z", "increments"
TRIED = (2, 7, 15, 30)  # sizes of batches whose forecasts are compared with those of states alone
SETTINGS = "assimilearn_settings"  # key in the graph's own description


def exported(flat: Any, size: int, any_size: bool, settings: str) -> np.ndarray:
    """The module ``flat(z (row, site)) -> (row, site)`` as the bytes of a graph, (byte,), uint8.

    Parameters
    ----------
    flat : torch.nn.Module
    size : number of sites
    any_size : whether the graph is to run for any number of sites
    settings : JSON that the graph keeps, so that a file with other settings is not taken for its own
    """
    import warnings

    import onnx
    import torch

    file, free = io.BytesIO(), {0: "row", 1: "site"} if any_size else {0: "row"}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter that keeps batches free calls itself old
        torch.onnx.export(
            flat,
            (torch.zeros(2, size),),
            file,  # type: ignore[arg-type]  # it takes files too
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: free, OUTPUT: free},
            dynamo=False,
            verbose=False,
        )
    graph = onnx.load_model_from_string(file.getvalue())
    onnx.helper.set_model_props(graph, {SETTINGS: settings})
    return np.frombuffer(graph.SerializeToString(deterministic=True), dtype=np.uint8)


def session_of(content: np.ndarray, size: int) -> Any:
    """A session that runs the graph for states of ``size`` sites.

    Raises
    ------
    FileError
        If the bytes are no graph, or its input and output are not states of that size.
    """
    session = opened(content)
    shapes = [[node.name, node.shape[1:], node.type] for node in (*session.get_inputs(), *session.get_outputs())]
    allowed = ([size], ["site"])
    expected = [[[INPUT, width, "tensor(float)"], [OUTPUT, width, "tensor(float)"]] for width in allowed]
    if shapes not in expected:
        raise FileError(f"the graph of the network does not map states of {size} sites")
    return session


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


def run(session: Any, z: np.ndarray) -> np.ndarray:
    """The graph's output for ``z (row, site)``, in the shape of z."""
    return session.run([OUTPUT], {INPUT: z.astype(np.float32)})[0]


def alone_as_together(session: Any, size: int) -> bool:
    """Whether a state has the same forecast, to the bit, alone and among others."""
    z = np.random.default_rng(0).standard_normal((max(TRIED), size))
    alone = np.concatenate([run(session, row[None]) for row in z])
    return all(np.array_equal(run(session, z[:count]), alone[:count]) for count in TRIED)
