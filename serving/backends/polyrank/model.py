# ruff: noqa: INP001 - Triton takes the folder as it is
"""A Triton backend named `polyrank`: rows come as one tensor for each feature, and are encoded for the model here.

It serves any `<model>/<version>/model.onnx` of Polyrank's, whose metadata say how rows are encoded. Encoding and model
are of one version and in one process: no other version can answer what this one encoded. Polyrank's own files lie
beside this one, or are installed in the environment of the Python backend; the session is that of the backend named
`onnxruntime`.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import triton_python_backend_utils as pb_utils

from polyrank.raw_inputs import RawEncoder, SerializedTexts
from polyrank.serving.backends.onnxruntime.model import TritonPythonModel as IdsModel
from polyrank.signature import SIGNATURE_KEY, Signature

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Triton deserializes each tensor of BYTES with this function, looked up by name, into Python objects, which costs more
# than all else: 1.7 ms for 26 columns of 100 texts on an AMD EPYC. The encoder reads texts as they came. Objects pass
# too, in case that a Triton has its own way.
pb_utils.deserialize_bytes_tensor = operator.methodcaller("view", SerializedTexts)


class TritonPythonModel(IdsModel):
    """One instance of one model: an encoder and an ONNX Runtime session behind Triton's scheduler."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the model version that `args` names, and its signature.

        Raises:
            Exception: The model does not load, or is none of Polyrank's; Triton reports the text as the reason.
        """
        super().initialize(args)
        metadata = self._session.get_modelmeta().custom_metadata_map
        if SIGNATURE_KEY not in metadata:
            raise ValueError(
                f"{args['model_name']}: model.onnx has no Polyrank signature; publish it with: polyrank publish"
            )
        self._encoder = RawEncoder(Signature.from_json(metadata[SIGNATURE_KEY]).schema)

    def _check_inputs(self, config: dict[str, Any]) -> None:
        """Leave the graph's inputs alone: those of config.pbtxt are what they are encoded from."""

    def _inputs(self, request: Any) -> list[NDArray[Any]]:
        tensors = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
        batch = self._encoder.encode(tensors).named()
        return [batch[name] for name in self._input_names]
