import re
import time
from collections.abc import Callable

import grpc
import msgspec
import pyarrow as pa
import pytest
from artefacts.fake_triton import SIGNATURE, FakeTriton, Refusal

from polyrank.errors import DeadlineExceededError, RepositoryError, RequestError, ServerUnavailableError
from polyrank.serving import ClientOptions, Ranker
from polyrank.tasks import MulticlassTask

ROWS = [{"item": number} for number in range(10)]
INVALID: Refusal = (grpc.StatusCode.INVALID_ARGUMENT, "unexpected shape")


def test_rows_are_sent_in_requests_of_the_batch_limit() -> None:
    fake = FakeTriton()
    with fake.listening() as url, Ranker(url) as ranker:
        assert ranker.score(ROWS)["click"].to_pylist() == [0.5] * 10
    assert sorted(fake.batch_sizes) == [2, 4, 4]


@pytest.mark.parametrize(
    ("shape", "shown"), [([4], r"\[4\]"), ([3, 1], r"\[3, 1\]"), ([4, 2], r"\[4, 2\]"), (None, "None")]
)
def test_answer_of_another_shape_is_refused(shape: list[int] | None, shown: str) -> None:
    fake = FakeTriton(shape=lambda _rows: shape)
    with (
        fake.listening() as url,
        Ranker(url) as ranker,
        pytest.raises(
            RequestError, match=rf"^fake version 1 at .*: output 'click' has shape {shown}, expected \[4, 1\]$"
        ),
    ):
        ranker.score(ROWS[:4])


GENRE = MulticlassTask(name="click", label="genre", num_classes=3)
CLASSES = msgspec.structs.replace(SIGNATURE, schema=msgspec.structs.replace(SIGNATURE.schema, tasks=(GENRE,))).to_json()


def test_classes_are_a_column_of_lists_of_fixed_size() -> None:
    fake = FakeTriton(signature=CLASSES, shape=lambda rows: [rows, 3])
    with fake.listening() as url, Ranker(url) as ranker:
        scores = ranker.score(ROWS)
    assert scores.schema.types == [pa.list_(pa.float32(), 3)]
    assert scores["click"].to_pylist() == [[0.5] * 3] * 10


@pytest.mark.parametrize("shape", [[4, 1], [4, 2], [4, 3, 1], [3, 4]])
def test_answer_of_other_classes_is_refused(shape: list[int]) -> None:
    fake = FakeTriton(signature=CLASSES, shape=lambda _rows: shape)
    message = rf"^fake version 1 at .*: output 'click' has shape {re.escape(str(shape))}, expected \[4, 3\]$"
    with fake.listening() as url, Ranker(url) as ranker, pytest.raises(RequestError, match=message):
        ranker.score(ROWS[:4])


def test_refused_request_is_not_sent_again() -> None:
    fake = FakeTriton(refuse=lambda _call: INVALID)
    with (
        fake.listening() as url,
        Ranker(url) as ranker,
        pytest.raises(RequestError, match=r"^fake version 1 at .*: request refused: unexpected shape$"),
    ):
        ranker.score(ROWS[:1])
    assert fake.batch_sizes == [1]


def test_refusal_by_a_new_version_is_answered_by_encoding_anew() -> None:
    fake = FakeTriton(refuse=lambda call: INVALID if call == 0 else None)
    with fake.listening() as url, Ranker(url) as ranker:
        fake.version = "2"
        assert ranker.score(ROWS[:1])["click"].to_pylist() == [0.5]
        assert ranker.version == "2"
    assert fake.batch_sizes == [1, 1]


@pytest.mark.parametrize("first_of_the_new", [1, 2])
def test_version_that_changes_between_parts_repeats_all(first_of_the_new: int) -> None:
    fake = FakeTriton(answering=lambda call: "1" if call < first_of_the_new else "2")
    with fake.listening() as url, Ranker(url) as ranker:
        fake.version = "2"
        scores = ranker.score(ROWS)
        assert (len(scores), scores.schema.metadata[b"polyrank.version"]) == (10, b"2")
    assert sorted(fake.batch_sizes) == [2, 2, 4, 4, 4, 4]


def test_new_version_that_takes_the_same_tensors_needs_no_repetition() -> None:
    fake = FakeTriton()
    with fake.listening() as url, Ranker(url) as ranker:
        fake.version = "2"
        assert ranker.score(ROWS).schema.metadata[b"polyrank.version"] == b"2"
        assert ranker.version == "2"
    assert sorted(fake.batch_sizes) == [2, 4, 4]


def test_version_that_goes_back_repeats_all() -> None:
    fake = FakeTriton(version="2", answering=lambda call: "1" if call == 1 else None)
    with fake.listening() as url, Ranker(url) as ranker:
        assert len(ranker.score(ROWS)) == 10
    assert sorted(fake.batch_sizes) == [2, 2, 4, 4, 4, 4]


def test_version_that_never_settles_is_given_up() -> None:
    fake = FakeTriton(answering=lambda call: str(100 + call))
    with (
        fake.listening() as url,
        Ranker(url) as ranker,
        pytest.raises(
            RequestError, match=r"^fake at .*: the model changed version 4 times within one call; call again$"
        ),
    ):
        ranker.score(ROWS[:1])
    assert fake.batch_sizes == [1, 1, 1, 1]


def test_deadline_covers_all_requests_of_a_call() -> None:
    fake = FakeTriton(delay_s=0.2)
    with fake.listening() as url, Ranker(url, timeout_s=0.5) as ranker:
        start = time.monotonic()
        with pytest.raises(
            DeadlineExceededError, match=r"^fake version 1 at .*: deadline of 0\.5 s passed; raise timeout_s or lig"
        ):
            ranker.score([{"item": 1}] * 400)
        assert time.monotonic() - start < 1.5
    assert len(fake.batch_sizes) < 30


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (grpc.StatusCode.UNAVAILABLE, ServerUnavailableError),
        (grpc.StatusCode.NOT_FOUND, ServerUnavailableError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, DeadlineExceededError),
        (grpc.StatusCode.INTERNAL, RequestError),
    ],
)
def test_status_of_the_server_becomes_an_error_of_ours(status: grpc.StatusCode, error: type[Exception]) -> None:
    fake = FakeTriton(refuse=lambda _call: (status, "because"))
    options = ClientOptions(attempts=2, backoff_s=0.001)
    with (
        fake.listening() as url,
        Ranker(url, options=options) as ranker,
        pytest.raises(error, match=r"^fake version 1 at 127"),
    ):
        ranker.score(ROWS[:1])


@pytest.mark.parametrize(("models", "shown"), [((), r"0 models \(none\)"), (("b", "a"), r"2 models \(a, b\)")])
def test_model_is_named_unless_one_is_served(models: tuple[str, ...], shown: str) -> None:
    fake = FakeTriton(models=models)
    with (
        fake.listening() as url,
        pytest.raises(ServerUnavailableError, match=rf"^127.* serves {shown}; name one: Ranker\(url, model\)$"),
    ):
        Ranker(url)


def test_model_listed_once_for_each_version_is_one_model() -> None:
    with FakeTriton(models=("fake", "fake")).listening() as url, Ranker(url) as ranker:
        assert ranker.model == "fake"


SIGNATURES: dict[str, Callable[[], str]] = {
    "is no JSON": lambda: "{",
    "lacks a field": lambda: "{}",
    "has another format": lambda: msgspec.structs.replace(SIGNATURE, format_version=2).to_json(),
    "has another hash": lambda: SIGNATURE.to_json().replace('"seed":42', '"seed":43'),
}


@pytest.mark.parametrize("case", SIGNATURES)
def test_signature_that_cannot_be_followed_is_refused(case: str) -> None:
    fake = FakeTriton(signature=SIGNATURES[case]())
    assert fake.signature != SIGNATURE.to_json()
    with (
        fake.listening() as url,
        pytest.raises(RepositoryError, match=r"^the model's signature (cannot be read|has form)"),
    ):
        Ranker(url)
