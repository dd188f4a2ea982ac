# ruff: noqa: INP001 - Triton takes the folder as it is
"""A Triton backend named `onnxruntime`, written on the Python backend of the same server.

It serves any `<model>/<version>/model.onnx` whose config says `backend: "onnxruntime"`, with the config of the official
C++ backend: tensor names, batching, instance groups, and what `_session_options` and `_run_options` read.
The server's private runtime environment runs this file, in which Polyrank is not installed; `backends/polyrank` puts it
beside a copy of the encoder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort
import triton_python_backend_utils as pb_utils

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Arrays = list[NDArray[Any]]

MODEL_FILE = "model.onnx"
SHRINKAGE = "memory.enable_memory_arena_shrinkage"
# `optimization { graph { level } }` as the C++ backend reads it.
GRAPH_LEVELS = {
    -1: ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    0: ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
    1: ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    2: ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
}


class TritonPythonModel:
    """One instance of one model: an ONNX Runtime session behind Triton's scheduler."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the model version that `args` names.

        Args:
            args: What Triton says of this instance; `model_config` is the config as JSON.

        Raises:
            Exception: The model does not load; Triton reports the text as the reason.
        """
        config = json.loads(args["model_config"])
        path = Path(args["model_repository"]) / args["model_version"] / MODEL_FILE
        providers = _providers(args)
        self._session = ort.InferenceSession(path, _session_options(config), providers=providers)
        self._run_options = _run_options(config, self._session.get_providers())
        self._is_batched = config["max_batch_size"] > 0
        self._input_names = [each.name for each in self._session.get_inputs()]
        self._output_names = [each.name for each in self._session.get_outputs()]
        self._check_inputs(config)
        self._check_outputs(config)
        used = self._session.get_providers()[0]
        if config.get("optimization", {}).get("execution_accelerators"):
            pb_utils.Logger.log_warn(f"{args['model_name']}: execution accelerators are left out; using {used}")
        pb_utils.Logger.log_info(f"{args['model_name']} version {args['model_version']}: onnxruntime {used}")

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer a batch of requests with one run of the session.

        When that run fails, each request runs alone, so that only the one at fault gets the error.

        Args:
            requests: What the scheduler put together; each holds its own rows.

        Returns:
            One response for each request, in order.
        """
        if len(requests) == 1 or not self._is_batched:
            return [self._answer_alone(request) for request in requests]
        try:
            return self._answer_together(requests)
        except Exception:  # noqa: BLE001 - any failure of the whole is settled request by request
            return [self._answer_alone(request) for request in requests]

    def finalize(self) -> None:
        """Free the session before the process ends."""
        del self._session

    def _check_inputs(self, config: dict[str, Any]) -> None:
        for name in self._input_names:
            if name not in {each["name"] for each in config["input"]}:
                raise ValueError(f"input '{name}' of the graph is not in config.pbtxt")

    def _check_outputs(self, config: dict[str, Any]) -> None:
        for each in config["output"]:
            if each["name"] not in self._output_names:
                raise ValueError(f"output '{each['name']}' of config.pbtxt is not in the graph")

    def _answer_alone(self, request: Any) -> Any:
        try:
            names = self._wanted(request)
            feeds = dict(zip(self._input_names, self._inputs(request), strict=True))
            # Arrays go in and out without a copy. Binding them first takes 90 us for 1 row, this 31.
            outputs = self._session.run(names, feeds, self._run_options)
        except Exception as err:  # noqa: BLE001 - the caller gets the reason, the server lives on
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(err)))
        return _response(names, outputs)

    def _answer_together(self, requests: Sequence[Any]) -> list[Any]:
        wanted = [self._wanted(request) for request in requests]
        names = [name for name in self._output_names if any(name in each for each in wanted)]
        rows = [self._inputs(request) for request in requests]
        feeds = {name: np.concatenate(parts) for name, *parts in zip(self._input_names, *rows, strict=True)}
        outputs = dict(zip(names, self._session.run(names, feeds, self._run_options), strict=True))
        ends = np.cumsum([len(each[0]) for each in rows])  # (requests,)
        starts = [0, *ends[:-1]]
        return [
            _response(each, [outputs[name][start:end] for name in each])
            for each, start, end in zip(wanted, starts, ends, strict=True)
        ]

    def _wanted(self, request: Any) -> list[str]:
        requested = request.requested_output_names()
        return [name for name in self._output_names if name in requested]

    def _inputs(self, request: Any) -> Arrays:
        return [_array(pb_utils.get_input_tensor_by_name(request, name)) for name in self._input_names]


def _array(tensor: Any) -> NDArray[Any]:
    """Return the tensor's array without a copy; text is decoded, since ONNX strings are `str`."""
    array: NDArray[Any] = tensor.as_numpy()
    if array.dtype != np.object_:
        return array
    return np.array([each.decode() for each in array.flat], dtype=np.object_).reshape(array.shape)


def _response(names: Sequence[str], outputs: Sequence[NDArray[Any]]) -> Any:
    tensors = [pb_utils.Tensor(name, output) for name, output in zip(names, outputs, strict=True)]
    return pb_utils.InferenceResponse(output_tensors=tensors)


def _providers(args: dict[str, str]) -> list[Any]:
    """Return CUDA before CPU when the instance is on a GPU and this ONNX Runtime can use one."""
    cpu = "CPUExecutionProvider"
    if args["model_instance_kind"] != "GPU":
        return [cpu]
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        pb_utils.Logger.log_warn(
            f"{args['model_name']}: the config asks for a GPU, this onnxruntime has none; using CPU"
        )
        return [cpu]
    ort.preload_dlls()
    return [("CUDAExecutionProvider", {"device_id": args["model_instance_device_id"]}), cpu]


def _session_options(config: dict[str, Any]) -> ort.SessionOptions:
    """Read the session's options from the config, under the names that the C++ backend gives them."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    # Two threads on two cores, 8 clients, 100 rows: 1,880 requests/s and p99 11.6 ms spinning, 2,530 and 6.3 without.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.graph_optimization_level = GRAPH_LEVELS[_graph_level(config)]
    options.intra_op_num_threads = _parameter(config, "intra_op_thread_count", 0)
    options.inter_op_num_threads = _parameter(config, "inter_op_thread_count", 0)
    options.execution_mode = ort.ExecutionMode(_parameter(config, "execution_mode", 0))
    options.enable_cpu_mem_arena = bool(_parameter(config, "enable_mem_arena", 1))
    options.enable_mem_pattern = bool(_parameter(config, "enable_mem_pattern", 1))
    return options


def _run_options(config: dict[str, Any], providers: Sequence[str]) -> ort.RunOptions:
    """Read which arenas shrink after a run, of the devices that the session has."""
    options = ort.RunOptions()
    entry = config.get("parameters", {}).get(SHRINKAGE)
    if entry is not None:
        used = {"cpu", "gpu"} if "CUDAExecutionProvider" in providers else {"cpu"}
        arenas = [arena for arena in entry["string_value"].split(";") if arena.partition(":")[0] in used]
        if arenas:
            options.add_run_config_entry(SHRINKAGE, ";".join(arenas))
    return options


def _graph_level(config: dict[str, Any]) -> int:
    level = int(config.get("optimization", {}).get("graph", {}).get("level", 0))
    if level not in GRAPH_LEVELS:
        raise ValueError(f"optimization.graph.level must be one of -1, 0, 1, 2, got {level}")
    return level


def _parameter(config: dict[str, Any], key: str, default: int) -> int:
    entry = config.get("parameters", {}).get(key)
    if entry is None:
        return default
    try:
        return int(entry["string_value"])
    except ValueError as err:
        raise ValueError(f"parameter '{key}' must be a whole number, got {entry['string_value']!r}") from err
