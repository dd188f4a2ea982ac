"""The model card of a bundle, as it is exported and as `polyrank card` writes it."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from artefacts.cards import Sections, evaluation, parsed
from artefacts.runs import make_run, make_schema

from polyrank.__main__ import main
from polyrank.evaluation import results as found
from polyrank.export import ExportOptions, export_onnx
from polyrank.signature import Precision

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a model with random weights in 16 bits, over rows and over requests."""
    folder = tmp_path_factory.mktemp("card")
    make_run(folder / "run", make_schema("one of each"))
    options = ExportOptions(precision=Precision(embeddings="fp16"))
    return export_onnx(folder / "run", out=folder / "bundle", options=options).path


def of_bundle(bundle: Path) -> Sections:
    return parsed((bundle / "MODEL_CARD.md").read_text())


def test_exported_card_names_run_and_size(bundle: Path) -> None:
    details = dict(of_bundle(bundle)["Model details"])
    signature = json.loads((bundle / "signature.json").read_text())
    size = (bundle / "model.onnx").stat().st_size
    assert (details["run"], details["size"]) == (signature["run_id"], f"model.onnx {size:,} bytes")


def test_exported_card_has_the_evidence_of_its_parity(bundle: Path) -> None:
    evidence = json.loads((bundle / "parity.json").read_text())
    sampled = [each["difference"] for each in evidence["differences"] if each["rows"].startswith("sample")]
    exact = [each["difference"] for each in evidence["exact"]["differences"]]
    rows = of_bundle(bundle)["Agreement with the trained model"][1:]
    assert [row[:4] for row in rows] == [
        ["this graph", evidence["onnxruntime"], f"{max(sampled):.1e}", f"{evidence['tolerance']:.0e}"],
        ["before its numbers became smaller", evidence["onnxruntime"], f"{max(exact):.1e}", "1e-05"],
    ]


def test_verb_prints_the_card_of_a_bundle(bundle: Path, capsys: Capture) -> None:
    assert main(["card", str(bundle)]) == 0
    assert capsys.readouterr().out == (bundle / "MODEL_CARD.md").read_text()


def test_verb_writes_the_card_with_an_evaluation(bundle: Path, tmp_path: Path) -> None:
    run_id = json.loads((bundle / "signature.json").read_text())["run_id"]
    model = found.Model(source="bundle", kind="bundle", name="shop", run_id=run_id)
    evaluation(model=model).save(tmp_path / "evaluation.json")
    command = ["card", str(bundle), "--evaluation", str(tmp_path / "evaluation.json"), "-o", str(tmp_path / "card.md")]
    assert main(command) == 0
    assert "By is_new" in parsed((tmp_path / "card.md").read_text())


def test_verb_refuses_the_evaluation_of_another_run(bundle: Path, tmp_path: Path, capsys: Capture) -> None:
    evaluation().save(tmp_path / "evaluation.json")
    assert main(["card", str(bundle), "--evaluation", str(tmp_path / "evaluation.json")]) == 1
    assert capsys.readouterr().err.startswith("polyrank: evaluation is of run abc, the bundle of run ")


@pytest.mark.parametrize("name", ["model.onnx", "new.md", "rank/model.onnx"])
def test_verb_never_writes_over_the_bundle(bundle: Path, capsys: Capture, name: str) -> None:
    before = {file: file.read_bytes() for file in bundle.rglob("*") if file.is_file()}
    assert main(["card", str(bundle), "-o", str(bundle / name)]) == 1
    message = f"cannot write {bundle / name}: it would lie in {bundle}, which is read; choose another folder"
    assert capsys.readouterr().err == f"polyrank: {message}\n"
    assert {file: file.read_bytes() for file in bundle.rglob("*") if file.is_file()} == before


def test_verb_never_writes_over_the_evaluation(bundle: Path, tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "evaluation.json"
    evaluation().save(file)
    assert main(["card", str(bundle), "--evaluation", str(file), "-o", str(file)]) == 1
    assert capsys.readouterr().err.startswith(f"polyrank: cannot write {file}: it is {file}, which is read")


def test_verb_renews_the_card_of_a_bundle(bundle: Path, tmp_path: Path) -> None:
    own = shutil.copytree(bundle, tmp_path / "bundle") / "MODEL_CARD.md"
    own.write_text("older")
    assert main(["card", str(own.parent), "-o", str(own)]) == 0
    assert own.read_text() == (bundle / "MODEL_CARD.md").read_text()


def test_verb_refuses_a_folder_that_is_no_bundle(tmp_path: Path, capsys: Capture) -> None:
    assert main(["card", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"polyrank: {tmp_path} is not a bundle: model.onnx is missing; make one with: polyrank export\n"
    )


def test_card_does_without_the_record_of_a_run(bundle: Path, tmp_path: Path, capsys: Capture) -> None:
    folder = shutil.copytree(bundle, tmp_path / "bundle")
    (folder / "run.json").unlink()
    assert main(["card", str(folder)]) == 0
    assert dict(parsed(capsys.readouterr().out)["Model details"])["architecture"] == "not recorded"


def column(rows: Sequence[Sequence[str]], place: int) -> list[str]:
    return [row[place] for row in rows[1:]]


def test_exported_card_has_every_feature_and_task(bundle: Path) -> None:
    schema = json.loads((bundle / "signature.json").read_text())["schema"]
    card = of_bundle(bundle)
    assert column(card["Features"], 0) == [each["name"] for each in schema["features"]]
    assert column(card["Tasks"], 0) == [each["name"] for each in schema["tasks"]]
