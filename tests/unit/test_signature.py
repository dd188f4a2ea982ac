import msgspec
import pytest

from polyrank.errors import RepositoryError
from polyrank.schema import Schema
from polyrank.signature import Hashing, Signature, Slot, slots_of


@pytest.fixture
def signature(toy_schema: Schema) -> Signature:
    return Signature(
        schema=toy_schema,
        slots=slots_of(toy_schema),
        dense=("score", "age", "plays", "duration_ms"),
        outputs=("click", "like", "rating", "watch_s"),
        opset=17,
        ir_version=8,
        triton="26.07",
        run_id="0123456789ab",
        polyrank="0.1.0",
    )


def test_json_gives_the_signature_back(signature: Signature) -> None:
    assert Signature.from_json(signature.to_json()) == signature
    assert Signature.from_json(signature.to_json().encode()) == signature


def test_slots_lie_end_to_end(toy_schema: Schema) -> None:
    assert slots_of(toy_schema)[:3] == (
        Slot(feature="user_id", start=0, stop=1),
        Slot(feature="item_id", start=1, stop=2),
        Slot(feature="history", start=2, stop=7),
    )


@pytest.mark.parametrize("text", ["", "{}", "[]", "not json", b"\xff", '{"schema": 1}'])
def test_what_is_no_signature_is_refused(text: str | bytes) -> None:
    with pytest.raises(RepositoryError, match=r"^the model's signature cannot be read: .*; export the model anew$"):
        Signature.from_json(text)


@pytest.mark.parametrize(
    "changed",
    [
        {"format_version": 2},
        {"hashing": Hashing(version=2)},
        {"hashing": Hashing(seed=1)},
        {"hashing": Hashing(name="x")},
    ],
    ids=["format", "version", "seed", "name"],
)
def test_unknown_format_says_what_is_known(signature: Signature, changed: dict[str, object]) -> None:
    text = msgspec.structs.replace(signature, **changed).to_json()
    known = "this Polyrank knows format 1 and xxh64 version 1 seed 42: upgrade polyrank$"
    with pytest.raises(RepositoryError, match=known):
        Signature.from_json(text)


def test_fields_of_later_versions_are_read_over(signature: Signature) -> None:
    later = signature.to_json().replace('{"schema"', '{"later": 1, "schema"', 1)
    assert Signature.from_json(later) == signature


def test_signature_of_before_weights_is_read(signature: Signature) -> None:
    fields = msgspec.json.decode(signature.to_json())
    del fields["weights"]
    for feature in fields["schema"]["features"]:
        for later in ("identity", "weights", "separator", "weight_separator"):
            feature.pop(later, None)
    assert Signature.from_json(msgspec.json.encode(fields)) == signature
