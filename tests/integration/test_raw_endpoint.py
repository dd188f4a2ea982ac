"""`<name>_raw` in the embedded server, asked with curl: it answers like the client that encodes rows itself."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from artefacts.raw import raw_json
from artefacts.runs import (
    AGE,
    BUCKET,
    CROSS,
    DENSE,
    ITEM,
    LATELY,
    NEAR,
    PLACE,
    SEEN,
    TITLE,
    UNIT,
    WORD,
    WRITTEN,
    make_rows,
    make_run,
    make_schema_of,
)
from integration.server_repository import add_model
from numpy.typing import NDArray

from polyrank.__main__ import main
from polyrank.encoder import Encoder
from polyrank.errors import ServerStartError
from polyrank.export import ExportOptions, ServingOptions, export_onnx, publish, rollback
from polyrank.models.trained import predict
from polyrank.schema import Schema
from polyrank.serving import ModelControl, Ranker
from polyrank.serving.server import Server, serve

pytestmark = pytest.mark.triton

LIKED = '{ name = "liked", kind = "bag", max_length = 4, shares = "item", weights = "shares" }'
SCORED = '{ name = "scored", kind = "bag", max_length = 3, dtype = "text", num_buckets = 9, separator = "|" }'
SCHEMAS = {
    "hashed": make_schema_of(ITEM, WORD, CROSS, NEAR, TITLE, WRITTEN, SEEN, LATELY, LIKED, SCORED, name="hashed"),
    "numbers": make_schema_of(AGE, BUCKET, PLACE, UNIT, DENSE, name="numbers"),
}
OPTIONS = ServingOptions(raw=True, threads=1, max_batch_size=64, warm_up=(1, 8))


def rows_of(count: int, seed: int = 0) -> list[dict[str, Any]]:
    return [
        {**row, "liked": row["history"], "scored": "|".join(row["tags"] or [])} for row in make_rows(count, seed=seed)
    ]


def published(folder: Path, schema: Schema, *, seed: int = 0) -> Path:
    make_run(folder / "run", schema, seed=seed, sample=Encoder(schema).encode(rows_of(200)))
    bundle = export_onnx(folder / "run", out=folder / "bundle", options=ExportOptions(requests=None))
    return bundle.path


class Serving(NamedTuple):
    server: Server
    models: Path
    rows: list[dict[str, Any]]

    def curl(self, model: str, body: str) -> dict[str, Any]:
        return curl(self.server.url, model, body)


def curl(url: str, model: str, body: str) -> dict[str, Any]:
    command = ["curl", "--silent", "--max-time", "20", "--data-binary", "@-", f"{url}/v2/models/{model}/infer"]
    done = subprocess.run(command, input=body, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def answers(response: dict[str, Any]) -> dict[str, NDArray[np.float32]]:
    assert "outputs" in response, response
    return {each["name"]: np.array(each["data"], np.float32) for each in response["outputs"]}


def tensor(name: str, datatype: str, data: Sequence[Sequence[Any]]) -> str:
    shape = [len(data), len(data[0])]
    return json.dumps({"inputs": [{"name": name, "datatype": datatype, "shape": shape, "data": data}]})


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("raw")
    for name, schema in SCHEMAS.items():
        publish(published(folder / name, schema), folder / "models", options=OPTIONS)
    with serve(folder / "models") as server:
        yield Serving(server, folder / "models", rows_of(40, seed=1))


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_kind_is_answered_like_by_the_client(serving: Serving, name: str) -> None:
    found = answers(serving.curl(f"{name}_raw", raw_json(SCHEMAS[name], serving.rows)))
    with Ranker(serving.server.url, model=name) as client:
        scores = client.score(serving.rows)
    assert found["click"].std() > 0.0
    for task in ("click", "like", "ratio"):
        np.testing.assert_allclose(found[task], scores[task].to_numpy(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("left_out", ["item", "word", "title", "written", "history", "tags", "scored"])
def test_tensor_that_is_left_out_is_missing(serving: Serving, left_out: str) -> None:
    body = raw_json(SCHEMAS["hashed"], serving.rows, without=[left_out])
    with Ranker(serving.server.url, model="hashed") as client:
        scores = client.score([{**row, left_out: None} for row in serving.rows])
    found = answers(serving.curl("hashed_raw", body))
    np.testing.assert_allclose(found["click"], scores["click"].to_numpy(), rtol=1e-6, atol=1e-6)


def test_one_tensor_is_enough(serving: Serving) -> None:
    found = answers(serving.curl("hashed_raw", tensor("word", "BYTES", [["a"], ["δ"]])))
    rows = [dict.fromkeys(SCHEMAS["hashed"].feature_columns) | {"word": word} for word in ("a", "δ")]
    with Ranker(serving.server.url, model="hashed") as client:
        scores = client.score(rows)
    np.testing.assert_allclose(found["click"], scores["click"].to_numpy(), rtol=1e-6, atol=1e-6)


def test_text_of_megabytes_is_a_value(serving: Serving) -> None:
    text = "long " * 600_000
    found = answers(serving.curl("hashed_raw", tensor("title", "BYTES", [[text]])))
    row = dict.fromkeys(SCHEMAS["hashed"].feature_columns) | {"title": text}
    with Ranker(serving.server.url, model="hashed") as client:
        scores = client.score([row])
    np.testing.assert_allclose(found["click"], scores["click"].to_numpy(), rtol=1e-6, atol=1e-6)


REFUSED = {
    "infinite number": (tensor("age", "FP32", [[1.0], [1e39]]), "column 'age' holds inf at row 2; finite 32-bit"),
    "half a vector": (
        tensor("place", "FP32", [[1.0, float("nan"), 3.0]]),
        "column 'place' lacks number 2 of its vector at row 1; a vector is whole, or missing as a whole",
    ),
    "text for a number": (tensor("age", "FP32", [["old"]]), "Unable to parse 'data'"),
    "number for an id": (tensor("item", "INT64", [[1.5]]), "Unable to parse 'data'"),
    "text type for a number": (
        tensor("age", "BYTES", [["1"]]),
        "data-type is 'BYTES', but model 'numbers_raw' expects",
    ),
    "too wide": (tensor("age", "FP32", [[1.0, 2.0]]), "unexpected shape for input 'age'"),
    "other length of a vector": (tensor("place", "FP32", [[1.0]]), "unexpected shape for input 'place'"),
    "more rows than a batch": (tensor("age", "FP32", [[1.0]] * 65), "must be <= 64 for 'numbers_raw'"),
    "no feature": (tensor("agee", "FP32", [[1.0]]), "unexpected inference input 'agee' for model 'numbers_raw'"),
    "nothing": ('{"inputs": []}', "request has 0 inputs"),
}


@pytest.mark.parametrize(("body", "message"), REFUSED.values(), ids=REFUSED)
def test_wrong_request_is_refused_in_one_line(serving: Serving, body: str, message: str) -> None:
    error = serving.curl("numbers_raw", body)["error"]
    assert message in error
    assert "\n" not in error


def test_bag_without_its_weights_is_refused(serving: Serving) -> None:
    error = serving.curl("hashed_raw", tensor("liked", "INT64", [[-1], [7]]))["error"]
    assert error == "column 'shares' holds 0 weights at row 2; as many as 'liked' has values expected, 1"


def test_wrong_request_leaves_the_others_of_its_batch_alone(serving: Serving) -> None:
    bodies = [tensor("age", "FP32", [[1e39 if index % 4 == 0 else 1.0]]) for index in range(40)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda body: serving.curl("numbers_raw", body), bodies))
    assert ["error" in each for each in found] == [index % 4 == 0 for index in range(40)]


@pytest.mark.slow
def test_version_with_another_schema_goes_live_without_a_gap(tmp_path: Path) -> None:
    old, new = make_schema_of(ITEM, AGE, name="swapped"), make_schema_of(WORD, AGE, name="swapped")
    first, second = published(tmp_path / "old", old), published(tmp_path / "new", new, seed=3)
    rows = rows_of(5)
    body = tensor("age", "FP32", [[row["age"] or 0.0] for row in rows])
    expected = {
        version: predict_ages(tmp_path / name / "run", schema, rows)
        for version, name, schema in (("1", "old", old), ("2", "new", new))
    }
    publish(first, tmp_path / "models", options=OPTIONS)
    with serve(tmp_path / "models") as server, ThreadPoolExecutor(2) as pool:
        control = ModelControl(server.url)
        running = pool.submit(publish, second, tmp_path / "models", options=OPTIONS, server=control)
        seen = []
        while not running.done() or "2" not in seen:
            response = curl(server.url, "swapped_raw", body)
            np.testing.assert_allclose(answers(response)["click"], expected[response["model_version"]], atol=1e-5)
            seen.append(response["model_version"])
        published_raw = running.result().raw
        assert published_raw is not None
        assert published_raw.differences is not None
        assert max(published_raw.differences.values()) < 1e-5
        assert seen == sorted(seen)
        assert {"1", "2"} == set(seen)
        assert rollback(tmp_path / "models", name="swapped", server=control).version == 3
        np.testing.assert_allclose(answers(curl(server.url, "swapped_raw", body))["click"], expected["1"], atol=1e-5)


def test_verify_finds_that_every_model_answers_as_it_does_here(
    serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", serving.server.url, str(serving.models)]) == 0
    found = [line.split()[0] for line in capsys.readouterr().out.splitlines() if " version 1 of run " in line]
    assert found == ["hashed", "hashed_raw", "numbers", "numbers_raw"]


def test_model_of_others_is_refused(tmp_path: Path) -> None:
    add_model(tmp_path / "models", "foreign", config={"backend": "polyrank"})
    message = r"foreign: model\.onnx has no Polyrank signature; publish it with: polyrank publish"
    with pytest.raises(ServerStartError, match=message):
        serve(tmp_path / "models")


def predict_ages(run: Path, schema: Schema, rows: list[dict[str, Any]]) -> NDArray[np.float32]:
    from polyrank.models import TrainedRanker

    ages = [dict.fromkeys(schema.feature_columns) | {"age": row["age"] or 0.0} for row in rows]
    return predict(TrainedRanker.load(run).model, Encoder(schema).encode(ages))["click"]
