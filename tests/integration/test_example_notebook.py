"""The notebook of examples/notebook runs in a real kernel, and what it shows is what PyTorch computes."""

import re
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from polyrank.encoder import Encoder
from polyrank.models import TrainedRanker
from polyrank.models.trained import predict
from polyrank.train.datasets import kuairand

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOK = EXAMPLES / "notebook" / "ranker.ipynb"
DAY_MS = 24 * 3_600_000
RANKED = r"\d\. video (\d+): click (\d\.\d{4}), long_view (\d\.\d{4}), watch_ratio (\d\.\d{4})"


def read() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the repository's root, so that what the notebook writes stays apart."""
    root = tmp_path_factory.mktemp("notebook")
    (root / "examples" / "notebook").mkdir(parents=True)
    (root / "examples" / "kuairand").symlink_to(EXAMPLES / "kuairand")
    return root


@pytest.fixture(scope="module")
def shown(place: Path) -> str:
    """What the cells print, after all have run."""
    notebook = read()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(place / "ipython"))
        where = {"metadata": {"path": str(place / "examples" / "notebook")}}
        NotebookClient(notebook, timeout=240, resources=where).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "".join(output["text"] for output in outputs if output.get("name") == "stdout")


@pytest.mark.slow
def test_ranking_is_the_best_that_pytorch_answers(place: Path, shown: str) -> None:
    ranked = re.findall(RANKED, shown)
    logs = kuairand.load(EXAMPLES / "kuairand").to_pylist()
    user, newest = logs[-1], [row for row in logs if row["time_ms"] > logs[-1]["time_ms"] - DAY_MS]
    trained = TrainedRanker.load(place / "work" / "notebook" / "run")
    of_items = [each.name for each in trained.schema.features if each.side == "item"]
    videos = {row["video_id"]: {name: row[name] for name in of_items} for row in newest}
    answers = predict(trained.model, Encoder(trained.schema).encode([user | video for video in videos.values()]))
    best = np.argsort(-(answers["click"] + 0.5 * answers["long_view"]))[:5]
    assert [int(line[0]) for line in ranked] == [list(videos)[row] for row in best]
    expected = np.stack([answers[task][best] for task in ("click", "long_view", "watch_ratio")], axis=1)
    found = np.array([[float(number) for number in line[1:]] for line in ranked])
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.slow
def test_model_has_learned_and_is_calibrated(shown: str) -> None:
    learned = re.search(r"^click +auc (\S+),", shown, re.MULTILINE)
    means = re.search(r"^click +answers (\S+), labels (\S+)$", shown, re.MULTILINE)
    assert learned is not None
    assert means is not None
    assert float(learned[1]) > 0.72
    assert float(means[1]) == pytest.approx(float(means[2]), abs=0.03)


def test_notebook_is_kept_without_outputs() -> None:
    kept = [(cell.outputs, cell.execution_count) for cell in read().cells if cell.cell_type == "code"]
    assert kept
    assert all(outputs == [] and count is None for outputs, count in kept)


def test_links_of_the_notebook_lead_to_files() -> None:
    texts = [cell.source for cell in read().cells if cell.cell_type == "markdown"]
    links = [link for text in texts for link in re.findall(r"\]\(([^)]+)\)", text)]
    assert len(links) > 3
    assert [link for link in links if not (NOTEBOOK.parent / link).exists()] == []
