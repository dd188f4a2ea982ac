"""Items that are encoded once: their keys, what is left out, and versions that need other columns."""

import datetime as dt
import decimal
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from artefacts.fake_triton import SIGNATURE
from artefacts.scripted_http import Answer, ScriptedHttp, scores

from polyrank.encoder import Encoder
from polyrank.errors import ConfigError, DataError
from polyrank.halves import halves_of
from polyrank.schema import Schema
from polyrank.serving import Items, Ranker
from polyrank.signature import slots_of

_CATEGORICAL = 'kind = "categorical", dtype = "int64", num_buckets = 9'
_TASKS = 'tasks = [{ name = "click", kind = "binary", label = "is_click" }]'
USER = f'{{ name = "user", side = "user", {_CATEGORICAL} }}'
ITEM, BRAND = (f'{{ name = "{name}", side = "item", {_CATEGORICAL} }}' for name in ("item", "brand"))
PRICE = '{ name = "price", side = "item", kind = "numeric" }'


def schema_of(*features: str) -> Schema:
    return Schema.from_toml(f'name = "fake"\nfeatures = [{", ".join(features)}]\n{_TASKS}')


def signature_of(schema: Schema, dense: tuple[str, ...] = ()) -> str:
    return msgspec.structs.replace(SIGNATURE, schema=schema, slots=slots_of(schema), dense=dense).to_json()


OLD, NEW = schema_of(USER, ITEM), schema_of(USER, ITEM, BRAND)
TABLE = pa.table({"item": [10, 11, 12, 13], "brand": [1, 2, 1, 2], "id": ["a", "b", "c", "b"]})


@pytest.fixture
def server() -> Iterator[tuple[ScriptedHttp, str]]:
    """A server of a model without a graph over requests, which takes 1,000 rows at once."""
    fake = ScriptedHttp(signature=signature_of(OLD), max_batch_size=1000)
    with fake.listening() as url:
        yield fake, url


@pytest.fixture
def ranker(server: tuple[ScriptedHttp, str]) -> Iterator[Ranker]:
    with Ranker(server[1], "fake") as client:
        yield client


def last_ids(fake: ScriptedHttp) -> list[list[int]]:
    """Return the rows that came last."""
    request = fake.inferences[-1]
    values = np.frombuffer(request.body[int(request.headers["inference-header-content-length"]) :], np.int64)
    found: list[list[int]] = values.reshape(request.rows, -1).tolist()
    return found


def test_version_with_other_features_is_encoded_anew(server: tuple[ScriptedHttp, str], ranker: Ranker) -> None:
    fake, _ = server
    items = ranker.items(TABLE, key="id")
    ranker.rank({"user": 1}, items)
    old = last_ids(fake)
    fake.version, fake.signature = "2", signature_of(NEW)
    assert ranker.rank({"user": 1}, items).schema.metadata[b"polyrank.version"] == b"2"
    rows = TABLE.append_column("user", pa.array([1] * 4))
    assert old == Encoder(OLD).encode(rows).ids.tolist()
    assert last_ids(fake) == Encoder(NEW).encode(rows).ids.tolist()


def test_graph_over_requests_is_looked_for_once_a_version(server: tuple[ScriptedHttp, str], ranker: Ranker) -> None:
    fake, _ = server
    for version in ("1", "1", "2", "2", "2"):
        fake.version = version
        ranker.rank({"user": 1}, TABLE)
    assert [request.path for request in fake.requests].count("/v2/models/fake_rank") == 2


def test_column_that_a_new_version_lacks_is_told(server: tuple[ScriptedHttp, str], ranker: Ranker) -> None:
    fake, _ = server
    items = ranker.items([{"item": 10}, {"item": 11}])
    fake.version, fake.signature = "2", signature_of(NEW)
    with pytest.raises(DataError) as caught:
        ranker.rank({"user": 1}, items)
    assert str(caught.value) == (
        "the version that is live now needs column 'brand' of items, which they were made without; make them anew: "
        "ranker.items(rows)"
    )


def test_column_that_items_lack_is_told(ranker: Ranker) -> None:
    with pytest.raises(DataError, match=r"^column 'item' is missing"):
        ranker.items(TABLE.drop_columns(["item"]))


def test_key_that_items_lack_is_told(ranker: Ranker) -> None:
    with pytest.raises(DataError, match=r"^column 'sku' is missing"):
        ranker.items(TABLE, key="sku")


def test_model_without_features_of_items_takes_none(server: tuple[ScriptedHttp, str]) -> None:
    server[0].signature = signature_of(schema_of(USER))
    with (
        Ranker(server[1], "fake") as ranker,
        pytest.raises(DataError, match=r"^model 'fake' has no feature of items; set side = \"item\" in its schema$"),
    ):
        ranker.items(TABLE)


KEYS: dict[str, tuple[Any, Any]] = {
    "int64": (pa.array([5, 6, 7, 8]), [6, 8]),
    "uint8": (pa.array([5, 6, 7, 8], pa.uint8()), [6, 8]),
    "text": (pa.array(["a", "b", "c", "d"]), ["b", "d"]),
    "bytes": (pa.array([b"a", b"b", b"c", b"d"]), [b"b", b"d"]),
    "a dictionary": (pa.array(["a", "b", "c", "d"]).dictionary_encode(), ["b", "d"]),
    "chunks": (pa.chunked_array([["a"], ["b", "c"], ["d"]]), ["b", "d"]),
    "dates": (
        pa.array([dt.date(2026, 1, day) for day in (1, 2, 3, 4)]),
        [dt.date(2026, 1, 2), dt.date(2026, 1, 4)],
    ),
    "truth values": (pa.array([False, True, False, True]), [True]),
    "missing values": (pa.array([5, None, 7, None]), [None]),
    "decimals": (
        pa.array([decimal.Decimal(number) for number in (5, 6, 7, 8)]),
        [decimal.Decimal(6), decimal.Decimal(8)],
    ),
}


@pytest.mark.parametrize("kind", KEYS)
def test_keys_of_any_type_are_answered_and_left_out(ranker: Ranker, kind: str) -> None:
    keys, excluded = KEYS[kind]
    items = ranker.items(pa.table({"item": [10, 11, 12, 13], "id": keys}), key="id")
    assert items.key_type == keys.type
    assert ranker.rank({"user": 1}, items)["id"].to_pylist() == keys.to_pylist()
    assert ranker.rank({"user": 1}, items, exclude=excluded)["item"].to_pylist() == [0, 2]


EXCLUDED = {
    "a list": [6, 8],
    "a set": {6, 8},
    "numpy": np.array([6, 8]),
    "numpy of 32 bits": np.array([6, 8], np.int32),
    "scalars of numpy": [np.int64(6), np.uint8(8)],
    "Arrow": pa.array([6, 8]),
    "chunks of Arrow": pa.chunked_array([[6], [8]]),
    "scalars of Arrow": [pa.scalar(6), pa.scalar(8, pa.int8())],
    "pandas": pd.Series([6, 8]),
    "polars": pl.Series([6, 8]),
    "a generator": (key for key in (6, 8)),
    "keys that nobody has": [6, 8, 999, None],
}


@pytest.mark.parametrize("kind", EXCLUDED)
def test_keys_to_leave_out_come_in_any_form(ranker: Ranker, kind: str) -> None:
    items = ranker.items(pa.table({"item": [10, 11, 12, 13], "id": [5, 6, 7, 8]}), key="id")
    found = ranker.recommend({"user": 1}, items, exclude_seen=EXCLUDED[kind])
    assert found["id"].to_pylist() == [5, 7]


def test_key_of_several_items_leaves_all_of_them_out(ranker: Ranker) -> None:
    items = ranker.items(TABLE, key="id")
    assert ranker.rank({"user": 1}, items, exclude=["b"])["id"].to_pylist() == ["a", "c"]


def test_keys_of_dicts_are_those_of_the_dicts(ranker: Ranker) -> None:
    items = ranker.items([{"item": 10, "id": "a"}, {"item": 11, "id": "b"}], key="id")
    found = ranker.rank({"user": 1}, items, exclude=["a"])
    assert (found["id"].to_pylist(), found["item"].to_pylist()) == (["b"], [1])


def test_all_items_left_out_leave_none(ranker: Ranker) -> None:
    items = ranker.items(TABLE, key="id")
    found = ranker.rank({"user": 1}, items, exclude=["a", "b", "c"])
    assert (len(found), found.column_names) == (0, ["item", "id", "score", "click"])


@pytest.mark.parametrize(("exclude", "shown"), [("abc", "'abc'"), (b"abc", "b'abc'"), (5, "5")])
def test_key_alone_is_no_list_of_keys(ranker: Ranker, exclude: Any, shown: str) -> None:
    items = ranker.items(TABLE, key="id")
    with pytest.raises(DataError, match=rf"^exclude must be a list or column of keys, got {shown}$"):
        ranker.rank({"user": 1}, items, exclude=exclude)


def test_keys_without_a_key_column_are_refused(ranker: Ranker) -> None:
    with pytest.raises(
        DataError, match=r"^excluding items needs their key; make them with ranker\.items\(rows, key=COL"
    ):
        ranker.rank({"user": 1}, ranker.items(TABLE), exclude=["a"])


@pytest.mark.parametrize("exclude", [["6"], [6, "x"], [1.5], [2**70], [b"6"]])
def test_keys_of_another_type_are_refused(ranker: Ranker, exclude: list[Any]) -> None:
    items = ranker.items(pa.table({"item": [10, 11], "id": [5, 6]}), key="id")
    with pytest.raises(DataError, match=r"^exclude must be keys of type int64, as 'id' has them, got \["):
        ranker.rank({"user": 1}, items, exclude=exclude)


@pytest.mark.parametrize("key", ["click", "score", "item"])
def test_key_of_a_name_that_answers_have_is_refused(ranker: Ranker, key: str) -> None:
    rows = {"item": [10, 11], key: [10, 11]}
    with pytest.raises(DataError, match=rf"^key '{key}' has the name of a column of answers; rename it in the table"):
        ranker.items(pa.table(rows), key=key)


@pytest.mark.parametrize("key", [5, b"id", ["id"]])
def test_key_that_is_no_name_is_refused(ranker: Ranker, key: Any) -> None:
    with pytest.raises(ConfigError, match=r"^key must be the name of a column, got "):
        ranker.items(TABLE, key=key)


@pytest.mark.parametrize("weights", [[], 5, "click", ["click"]])
def test_weights_that_are_no_dict_are_refused(ranker: Ranker, weights: Any) -> None:
    with pytest.raises(ConfigError, match=r"^weights must be a dict of numbers by task, got "):
        ranker.rank({"user": 1}, TABLE, weights=weights)


def test_list_is_no_key(ranker: Ranker) -> None:
    items = ranker.items(TABLE, key="id")
    with pytest.raises(DataError, match=r"^a key of items must be a plain value, got \['a'\]$"):
        ranker.rank({"user": 1}, items, exclude=[["a"]])


USERS = {
    "a dict": {"user": 3},
    "a table": pa.table({"user": [3]}),
    "a frame of pandas": pd.DataFrame({"user": [3]}),
    "a row of pandas": pd.DataFrame({"user": [3], "name": ["x"]}).iloc[0],
    "a frame of polars": pl.DataFrame({"user": [3]}),
}


@pytest.mark.parametrize("kind", USERS)
def test_user_comes_in_any_form(server: tuple[ScriptedHttp, str], ranker: Ranker, kind: str) -> None:
    ranker.rank(USERS[kind], TABLE)
    expected = Encoder(OLD).encode([{"user": 3, "item": item} for item in (10, 11, 12, 13)]).ids
    assert last_ids(server[0]) == expected.tolist()


@pytest.mark.parametrize(
    ("user", "message"),
    [
        ([{"user": 1}], "user must be a dict, or a table of one row, got list"),
        (7, "user must be a dict, or a table of one row, got int"),
        (pa.table({"user": [1, 2]}), "user must be one row, got 2"),
        (pd.DataFrame({"user": []}), "user must be one row, got 0"),
        ({"usr": 1}, "the user lacks 'user', a feature of model 'fake'; did you mean 'usr'?; None stands for a mis"),
    ],
)
def test_wrong_user_is_told(ranker: Ranker, user: Any, message: str) -> None:
    with pytest.raises(DataError) as caught:
        ranker.rank(user, TABLE)
    assert str(caught.value).startswith(message)


def test_numbers_of_numpy_are_taken(ranker: Ranker) -> None:
    found = ranker.rank({"user": 1}, TABLE, top_k=np.int64(2), weights={"click": np.float32(2.0)})  # type: ignore[arg-type, dict-item]
    assert found["score"].to_pylist() == [1.0, 1.0]


@pytest.mark.parametrize("top_k", [0, -1, True, 1.0, "3", np.int64(0)])
def test_wrong_number_of_items_is_told(ranker: Ranker, top_k: Any) -> None:
    with pytest.raises(ConfigError, match=r"^top_k must be 1 or above, got "):
        ranker.rank({"user": 1}, TABLE, top_k=top_k)


@pytest.mark.parametrize("weight", ["1", None, True, float("nan"), float("inf"), 1e31, -1e99])
def test_weight_that_is_no_number_is_told(ranker: Ranker, weight: Any) -> None:
    with pytest.raises(ConfigError, match=r"^weights\['click'\] must be a number from -1e\+30 to 1e\+30, got "):
        ranker.rank({"user": 1}, TABLE, weights={"click": weight})


def test_rows_of_a_catalogue_are_refused(ranker: Ranker) -> None:
    with pytest.raises(DataError, match=r"^catalog must come from ranker\.items\(rows, key=COLUMN\), got Table$"):
        ranker.recommend({"user": 1}, TABLE)


def test_best_items_come_first_and_equal_ones_in_their_order(server: tuple[ScriptedHttp, str], ranker: Ranker) -> None:
    answer = Answer([scores(4)[:-16] + np.array([0.25, 0.75, 0.25, 0.75], "<f4").tobytes()])
    server[0].infer = lambda _request: answer
    found = ranker.rank({"user": 1}, TABLE, top_k=3)
    assert (found["item"].to_pylist(), found["click"].to_pylist()) == ([1, 3, 0], [0.75, 0.75, 0.25])


def test_large_catalogue_takes_its_arrays_alone(ranker: Ranker) -> None:
    frame = pd.DataFrame({"item": np.arange(1_000_000), "unused": "a text that nobody asked for"})
    before = pa.total_allocated_bytes()
    items = ranker.items(frame)
    assert items.encoded(ranker.served).ids.nbytes == 8_000_000
    assert pa.total_allocated_bytes() - before <= 9_000_000


def test_ranks_of_a_new_version_with_numbers_need_no_other_call(
    server: tuple[ScriptedHttp, str], ranker: Ranker
) -> None:
    fake, _ = server
    items = ranker.items(TABLE.append_column("price", pa.array([1.0, 2.0, 3.0, 4.0])))
    priced = schema_of(USER, ITEM, PRICE)
    fake.version, fake.signature = "2", signature_of(priced, ("price",))
    found = ranker.rank({"user": 1}, items)
    assert len(found) == 4
    assert halves_of(priced)[1].dense_columns == (0,)
    assert fake.inferences[-1].body[-16:] == np.array([1, 2, 3, 4], "<f4").tobytes()
    assert isinstance(items, Items)
