import logging
from pathlib import Path

import pytest
import torch
from torch import nn

from polyrank.errors import OutputError
from polyrank.export.room import require_room


def model_of(rows: int) -> nn.Module:
    return nn.ParameterList([torch.empty(rows, 16, device="meta")])  # takes no memory


def test_graphs_beyond_the_disk_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        OutputError,
        match=r"^cannot write .*/new/bundle: 2 graph\(s\) take 119,209\.3 GiB, and [\d,.]+ GiB are free; choose ",
    ):
        require_room(model_of(10**12), tmp_path / "new" / "bundle", graphs=2)


def test_weights_beside_the_graph_are_announced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "polyrank"):
        require_room(model_of(40_000_000), tmp_path / "bundle", graphs=1)
    assert caplog.messages == ["weights of 2.4 GiB are written beside the graph, to model.onnx.data"]


def test_small_weights_are_not_announced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "polyrank"):
        require_room(model_of(1000), tmp_path / "bundle", graphs=1)
    assert caplog.messages == []
