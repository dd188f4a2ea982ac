"""A pytest plugin (`-p artefacts.blocked`) under which nothing that only training and export need can be imported."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

BLOCKED = ("torch", "onnx", "onnxscript", "onnxruntime", "safetensors", "tomli_w", "tqdm", "sklearn", "scipy")


class _Blocker(MetaPathFinder):
    def find_spec(self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None) -> None:
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"{name} is blocked", name=name)


sys.meta_path.insert(0, _Blocker())
