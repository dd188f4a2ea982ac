"""What `polyrank.spark` does without a Spark: SQL, kernels and archives; tests/warehouse runs the rest."""

import dataclasses
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from polyrank.batch import Cross, HashedColumn, parse_column
from polyrank.errors import DataError, MissingExtraError, RepositoryError
from polyrank.features import TextFeature
from polyrank.fingerprint import fingerprint, fingerprint_cross
from polyrank.ngrams import fingerprint_ngrams
from polyrank.schema import Schema
from polyrank.serving import LocalRanker
from polyrank.spark import encode, fingerprints, score
from polyrank.spark.bundles import ship
from polyrank.spark.expressions import expression_of
from polyrank.spark.kernel import hasher, ngram_hasher
from polyrank.spark.scoring import _joined
from polyrank.spark.types import check_types


@dataclasses.dataclass
class Type:
    """What is asked of a type of Spark."""

    name: str
    elementType: "Type | None" = None  # noqa: N815 (Spark's name)
    collation: str = "UTF8_BINARY"

    def typeName(self) -> str:  # noqa: N802 (Spark's name)
        return self.name

    def simpleString(self) -> str:  # noqa: N802 (Spark's name)
        return self.name if self.elementType is None else f"array<{self.elementType.name}>"


MASK = "& 9223372036854775807 END"
BAG = HashedColumn(name="tags", dtype="text", is_bag=True)
CUT = HashedColumn(name="tags", dtype="text", is_bag=True, separator="|")
TOKENS = HashedColumn(name="a", dtype="text", missing=("\\N",))
IN_SQL: dict[str, tuple[HashedColumn, Type, str]] = {
    "integers": (
        parse_column("a:int64"),
        Type("short"),
        f"CASE WHEN CAST(`a` AS BIGINT) IS NULL THEN -1 ELSE xxhash64(CAST(`a` AS BIGINT)) {MASK}",
    ),
    "bytes": (
        parse_column("a:text"),
        Type("binary"),
        f"CASE WHEN `a` IS NULL THEN -1 ELSE xxhash64(CAST(`a` AS STRING)) {MASK}",
    ),
    "a token that a parser may read otherwise": (
        TOKENS,
        Type("string"),
        (
            "CASE WHEN CAST(`a` AS STRING) IN (CAST(X'5c4e' AS STRING)) THEN -1 WHEN `a` IS NULL THEN -1 "
            f"ELSE xxhash64(CAST(`a` AS STRING)) {MASK}"
        ),
    ),
    "a bag": (
        BAG,
        Type("array", Type("string")),
        f"transform(`tags`, value -> CASE WHEN value IS NULL THEN -1 ELSE xxhash64(CAST(value AS STRING)) {MASK})",
    ),
    "text that is cut": (
        CUT,
        Type("string"),
        (
            "transform(CASE `tags` WHEN '' THEN array() ELSE split(`tags`, CAST(X'5c7c' AS STRING), -1) END, "
            f"value -> CASE WHEN value IS NULL THEN -1 ELSE xxhash64(CAST(value AS STRING)) {MASK})"
        ),
    ),
}


@pytest.mark.parametrize("case", IN_SQL)
def test_sql_fits_the_type_of_the_column(case: str) -> None:
    column, kind, sql = IN_SQL[case]
    assert expression_of(column, {column.name: kind}) == sql


def test_text_under_int64_is_refused_unless_it_is_an_integer() -> None:
    sql = expression_of(parse_column("a:int64"), {"a": Type("string")})
    assert sql is not None
    plain = "CASE WHEN translate(`a`, '0123456789', '') IN ('', '-') THEN try_cast(`a` AS BIGINT) END"
    assert sql.startswith(f"CASE WHEN `a` IS NULL THEN -1 ELSE xxhash64(coalesce({plain}, raise_error(concat(")
    words = b"column 'a' holds ".hex()
    assert f"X'{words}'" in sql  # text with quotes is written in hexadecimal


BY_KERNEL: dict[str, tuple[HashedColumn, Type]] = {
    "floats": (parse_column("a:int64"), Type("double")),
    "floats as text": (parse_column("a:text"), Type("float")),
    "text with a collation": (parse_column("a:text"), Type("string", collation="UTF8_LCASE")),
    "truth values with tokens": (HashedColumn(name="a", dtype="int64", missing=("true",)), Type("boolean")),
    "a bag of floats": (BAG, Type("array", Type("double"))),
    "a bag with weights": (dataclasses.replace(CUT, weight_separator=":"), Type("string")),
    "lists of what may be text": (CUT, Type("array", Type("string"))),
}


@pytest.mark.parametrize("case", BY_KERNEL)
def test_what_spark_reads_otherwise_goes_to_the_kernel(case: str) -> None:
    column, kind = BY_KERNEL[case]
    assert expression_of(column, {column.name: kind}) is None


def test_cross_of_which_one_part_goes_to_the_kernel_goes_there() -> None:
    cross = Cross(parts=(parse_column("a:int64"), parse_column("b:text")))
    types: dict[str, Any] = {"a": Type("long"), "b": Type("string")}
    assert expression_of(cross, types) is not None
    assert expression_of(cross, types | {"a": Type("double")}) is None


def test_kernel_hashes_values_lists_and_crosses() -> None:
    texts, floats = pa.array(["x", None]), pa.array([7.0, 8.0])
    cross = Cross(parts=(parse_column("a:text"), parse_column("b:int64")))
    assert hasher(parse_column("b:int64"))(floats).to_pylist() == fingerprint([7, 8], dtype="int64").tolist()
    lists = hasher(CUT)(pa.array(["x|y", "", None])).to_pylist()
    assert lists == [fingerprint(["x", "y"], dtype="text").tolist(), [], None]
    expected = fingerprint_cross([texts, floats], dtypes=["text", "int64"]).tolist()
    assert hasher(cross)(texts, floats).to_pylist() == expected


def test_ngrams_are_lists_without_padding() -> None:
    feature = TextFeature(name="title", sizes=(1, 2), max_length=3, missing=("none",))
    found = ngram_hasher(feature)(pa.array(["New York City", "", None, "none", "a"])).to_pylist()
    slots = fingerprint_ngrams(["New York City", "a"], sizes=[1, 2], max_length=3).tolist()
    assert found == [slots[0], [], None, [], slots[1][:1]]


def test_refused_value_is_named_without_a_row() -> None:
    with pytest.raises(DataError, match=r"^column 'a' holds 1\.5; whole numbers expected"):
        hasher(parse_column("a:int64"))(pa.array([1.0, 1.5]))


def test_answers_of_classes_become_lists_of_spark() -> None:
    classes = pa.FixedSizeListArray.from_arrays(pa.array([0.25, 0.75, 0.5, 0.5], pa.float32()), 2)
    scores = pa.table({"kind": classes, "click": pa.array([0.5, 1.0], pa.float32())})
    (batch,) = _joined(pa.table({"row": [1, 2]}), scores)
    assert batch.schema.types == [pa.int64(), pa.list_(pa.float32()), pa.float32()]
    assert batch.to_pylist()[1] == {"row": 2, "kind": [0.5, 0.5], "click": 1.0}


WRONG_TYPES: dict[str, tuple[str, Type, str]] = {
    "dates": ("device", Type("date"), "is date; cast it to text such as 2026-07-01, or to int64 days"),
    "decimals": ("device", Type("decimal"), "is decimal; cast it to text, or to int64 where whole"),
    "structs": ("device", Type("struct"), "is struct; make each of its fields a column"),
    "a value for a bag": ("tags", Type("long"), "is long; a bag takes lists"),
    "lists for a number": ("age", Type("array", Type("double")), "is array<double>; numbers expected"),
    "what no feature takes": ("age", Type("interval"), "is interval; cast it to what a feature takes, such as text"),
}


@pytest.mark.parametrize("case", WRONG_TYPES)
def test_wrong_type_is_refused_before_a_job(toy_schema: Schema, case: str) -> None:
    name, kind, message = WRONG_TYPES[case]
    feature = next(feature for feature in toy_schema.features if feature.name == name)
    with pytest.raises(DataError) as caught:
        check_types(toy_schema, [feature], {name: kind})
    assert str(caught.value) == f"column {name!r} {message}"


RIGHT_TYPES = {
    "device": Type("string"),
    "age": Type("decimal"),
    "tags": Type("array", Type("binary")),
    "item_id": Type("void"),
    "user_id": Type("float"),
}


@pytest.mark.parametrize("name", RIGHT_TYPES)
def test_types_that_features_take_pass(toy_schema: Schema, name: str) -> None:
    feature = next(feature for feature in toy_schema.features if feature.name == name)
    check_types(toy_schema, [feature], {name: RIGHT_TYPES[name]})


def test_weights_are_not_asked_for_where_only_ids_are_hashed(toy_schema: Schema) -> None:
    bag = next(feature for feature in toy_schema.features if feature.name == "tags")
    weighted = msgspec.structs.replace(bag, weights="how much", pooling="mean")
    schema = msgspec.structs.replace(toy_schema, features=(weighted,))
    check_types(schema, [weighted], {"tags": Type("array", Type("string"))})


class Context:
    """An application of Spark, as far as files are added to it."""

    def __init__(self, name: str) -> None:
        self.applicationId = name
        self.archives: list[Path] = []

    def addArchive(self, uri: str) -> None:  # noqa: N802 (Spark's name)
        self.archives.append(Path(uri.removeprefix("file://")))


def test_bundle_is_shipped_once_for_each_content(toy_bundle: Path, tmp_path: Path) -> None:
    context = Context("once")
    places = {ship(context, toy_bundle) for _ in range(2)}
    assert len(places) == len(context.archives) == 1
    place = Path(places.pop())
    with zipfile.ZipFile(context.archives[0]) as archive:
        archive.extractall(tmp_path / place.parent)
    with LocalRanker(tmp_path / place) as ranker, LocalRanker(toy_bundle) as original:
        assert (ranker.version, ranker.signature) == (original.version, original.signature)


def test_shipped_version_is_still_that_version(toy_bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(toy_bundle, tmp_path / "toy" / "7")
    (tmp_path / "toy" / "config.pbtxt").touch()
    context = Context("version")
    place = ship(context, tmp_path / "toy" / "7")
    with zipfile.ZipFile(context.archives[0]) as archive:
        archive.extractall(tmp_path / Path(place).parent)
    with LocalRanker(tmp_path / place) as ranker:
        assert ranker.version == "7"


def test_bundle_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match=r"bundle cannot be read or copied: no such file or directory$"):
        ship(Context("none"), tmp_path / "bundle")


CALLS: dict[str, Callable[[Schema, Path], object]] = {
    "fingerprints": lambda schema, folder: fingerprints(None, schema),  # noqa: ARG005 (cases are called alike)
    "score": lambda schema, folder: score(None, folder),  # noqa: ARG005
    "encode": lambda schema, folder: encode(None, schema, folder),
}


@pytest.mark.parametrize("call", CALLS)
def test_missing_extra_is_named(
    toy_schema: Schema, toy_bundle: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(
        MissingExtraError, match=r"^polyrank\.spark needs pyspark and pandas; pip install 'polyrank\[spark"
    ):
        CALLS[call](toy_schema, toy_bundle)


def test_bundle_that_spark_did_not_take_is_shipped_again(toy_bundle: Path) -> None:
    class Stopping(Context):
        def addArchive(self, uri: str) -> None:  # noqa: N802 (Spark's name)
            super().addArchive(uri)
            if len(self.archives) == 1:
                raise RuntimeError

    context = Stopping("stopping")
    with pytest.raises(RuntimeError):
        ship(context, toy_bundle)
    ship(context, toy_bundle)
    assert len(context.archives) == 2
