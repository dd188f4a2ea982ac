import builtins
import re
from pathlib import Path
from typing import Any

import pytest
from toy import TOY_TOML

from polyrank.errors import MissingExtraError, SchemaError
from polyrank.features import BagFeature, BucketizedFeature, CategoricalFeature, NumericFeature
from polyrank.schema import Schema
from polyrank.spelling import suggestion
from polyrank.tasks import BinaryTask

FEATURE = '[[features]]\nname = "user"\nkind = "categorical"\ndtype = "int64"\nnum_buckets = 10\n'
NUMBER = '[[features]]\nname = "age"\nkind = "numeric"\n'
BUCKETS = '[[features]]\nname = "age"\nkind = "bucketized"\n'
VECTOR = '[[features]]\nname = "place"\nkind = "vector"\ndim = 3\n'
BAG = '[[features]]\nname = "tags"\nkind = "bag"\ndtype = "text"\nnum_buckets = 10\nmax_length = 3\n'
SHARING = '[[features]]\nname = "liked"\nkind = "bag"\nmax_length = 3\nshares = "user"\n'
TASK = '[[tasks]]\nname = "click"\nkind = "binary"\nlabel = "is_click"\n'
NAME = 'name = "toy"\n'
GOOD = NAME + FEATURE + TASK

WRONG = {
    "no name": (FEATURE + TASK, "$: object missing required field name"),
    "empty name": (GOOD.replace('"toy"', '""'), "$.name must be letters, digits, '_' or '-', got ''"),
    "path as name": (GOOD.replace('"toy"', '"../toy"'), "$.name must be letters, digits, '_' or '-', got '../toy'"),
    "name ends in newline": (GOOD.replace('"toy"', '"toy\\n"'), "$.name must be letters, digits"),
    "no features": (NAME + "features = []\n" + TASK, "$.features must hold at least one entry, got none"),
    "features left out": (NAME + TASK, "$: object missing required field features"),
    "no tasks": (NAME + "tasks = []\n" + FEATURE, "$.tasks must hold at least one entry, got none"),
    "empty feature name": (GOOD.replace('"user"', '""'), "$.features[0].name must not be empty"),
    "feature twice": (
        NAME + FEATURE + FEATURE + TASK,
        "$.features[1].name must be unique, got 'user' a second time",
    ),
    "task twice": (GOOD + TASK, "$.tasks[1].name must be unique, got 'click' a second time"),
    "task name no identifier": (
        GOOD.replace('"click"', '"a-b"'),
        (
            "$.tasks[0].name must be letters, digits or '_' and none of ['dense', 'ids', 'item_dense', 'item_ids', "
            "'item_weights', 'score', 'task_weights', 'top_items', 'top_scores', 'user_dense', 'user_ids', "
            "'user_weights', 'weights'], got 'a-b'"
        ),
    ),
    "task name is an input": (GOOD.replace('"click"', '"ids"'), "'weights'], got 'ids'"),
    "task name is an output": (GOOD.replace('"click"', '"score"'), "'weights'], got 'score'"),
    "zero weight": (GOOD + "weight = 0.0\n", "$.tasks[0].weight must be above 0 and finite, got 0.0 (task 'click')"),
    "infinite weight": (GOOD + "weight = inf\n", "$.tasks[0].weight must be above 0 and finite, got inf"),
    "nan weight": (GOOD + "weight = nan\n", "$.tasks[0].weight must be above 0 and finite, got nan"),
    "label is a feature": (
        GOOD.replace('"is_click"', '"user"'),
        "$.tasks[0].label 'user' is also a feature; the model would be handed the answer",
    ),
    "no dtype": (GOOD.replace('dtype = "int64"\n', ""), "$.features[0].dtype is missing (feature 'user')"),
    "no buckets": (GOOD.replace("num_buckets = 10\n", ""), "$.features[0].num_buckets is missing (feature 'user')"),
    "zero buckets": (
        GOOD.replace("= 10", "= 0"),
        "$.features[0].num_buckets must be in [1, 2**31), got 0 (feature 'user')",
    ),
    "too many buckets": (GOOD.replace("= 10", "= 2147483648"), "must be in [1, 2**31), got 2147483648"),
    "buckets beyond 64 bits": (GOOD.replace("= 10", "= 99999999999999999999"), "must be in [1, 2**31), got 999999"),
    "zero dimension": (
        NAME + FEATURE + "embedding_dim = 0\n" + TASK,
        "$.features[0].embedding_dim must be in [1, 4097), got 0 (feature 'user')",
    ),
    "zero length": (
        NAME + BAG.replace("max_length = 3", "max_length = 0") + TASK,
        "$.features[0].max_length must be in [1, 10001), got 0 (feature 'tags')",
    ),
    "no length": (
        NAME + BAG.replace("max_length = 3\n", "") + TASK,
        "$.features[0]: object missing required field max_length",
    ),
    "shares nothing": (
        NAME + FEATURE + SHARING.replace('"user"', '"usr"') + TASK,
        "$.features[1].shares must name a categorical, bag or sequence feature, got 'usr' (feature 'liked'); did you",
    ),
    "shares a number": (
        NAME + NUMBER + SHARING.replace('"user"', '"age"') + TASK,
        "$.features[1].shares must name a categorical, bag or sequence feature, got 'age'",
    ),
    "shares itself": (
        NAME + SHARING.replace('"user"', '"liked"') + TASK,
        "$.features[0].shares must name a feature with a table of its own, got 'liked', which shares too",
    ),
    "shares a sharer": (
        NAME + FEATURE + SHARING + SHARING.replace('"liked"', '"seen"').replace('"user"', '"liked"') + TASK,
        "$.features[2].shares must name a feature with a table of its own, got 'liked', which shares too",
    ),
    "shares with another dtype": (
        NAME + FEATURE + SHARING + 'dtype = "text"\n' + TASK,
        "$.features[1].dtype must be left out or equal that of 'user', whose table is shared (feature 'liked')",
    ),
    "shares with other buckets": (
        NAME + FEATURE + SHARING + "num_buckets = 11\n" + TASK,
        "$.features[1].num_buckets must be left out or equal that of 'user'",
    ),
    "shares with another dimension": (
        NAME + FEATURE + SHARING + "embedding_dim = 4\n" + TASK,
        "$.features[1].embedding_dim must be left out or equal that of 'user'",
    ),
    "transform twice": (
        NAME + NUMBER + 'transform = ["log1p", "log1p"]\n' + TASK,
        "each optional and in this order, got ['log1p', 'log1p'] (feature 'age')",
    ),
    "transforms in wrong order": (
        NAME + NUMBER + 'transform = ["standardize", "log1p"]\n' + TASK,
        "$.features[0].transform must be clip, log1p and one of standardize, minmax, quantile, each optional and in",
    ),
    "two scalings": (
        NAME + NUMBER + 'transform = ["standardize", "minmax"]\n' + TASK,
        "each optional and in this order, got ['standardize', 'minmax'] (feature 'age')",
    ),
    "quantile of a logarithm": (
        NAME + NUMBER + 'transform = ["log1p", "quantile"]\n' + TASK,
        "$.features[0].transform must not hold log1p beside quantile, which ranks numbers whatever their scale, got [",
    ),
    "clip without limits": (
        NAME + NUMBER + 'transform = ["clip"]\n' + TASK,
        "$.features[0].clip = [low, high] is missing (feature 'age')",
    ),
    "limits without clip": (
        NAME + NUMBER + "clip = [0, 1]\n" + TASK,
        "$.features[0].clip = [low, high] is there, but its transform does not hold clip (feature 'age')",
    ),
    "limits in wrong order": (
        NAME + NUMBER + 'transform = ["clip"]\nclip = [1, 1]\n' + TASK,
        "$.features[0].clip must be two finite 32-bit numbers, the lower first, got [1.0, 1.0] (feature 'age')",
    ),
    "infinite limit": (
        NAME + NUMBER + 'transform = ["clip"]\nclip = [0, inf]\n' + TASK,
        "$.features[0].clip must be two finite 32-bit numbers, the lower first, got [0.0, inf]",
    ),
    "three limits": (
        NAME + NUMBER + 'transform = ["clip"]\nclip = [0, 1, 2]\n' + TASK,
        "$.features[0].clip: expected array of length 2, got 3",
    ),
    "negative limit under log1p": (
        NAME + NUMBER + 'transform = ["clip", "log1p"]\nclip = [-1, 1]\n' + TASK,
        "$.features[0].clip[0] must be 0 or above before log1p, got -1.0 (feature 'age')",
    ),
    "quantiles without quantile": (
        NAME + NUMBER + "quantiles = 10\n" + TASK,
        "$.features[0].quantiles is there, but its transform does not hold quantile (feature 'age')",
    ),
    "one quantile": (
        NAME + NUMBER + 'transform = ["quantile"]\nquantiles = 1\n' + TASK,
        "$.features[0].quantiles must be in [2, 1024], got 1 (feature 'age')",
    ),
    "too many quantiles": (NAME + NUMBER + 'transform = ["quantile"]\nquantiles = 1025\n' + TASK, "1024], got 1025"),
    "maximum below minimum": (
        NAME + NUMBER + "minimum = 1.0\nmaximum = 0.5\n" + TASK,
        "$.features[0].maximum must not be below minimum, got 0.5 (feature 'age')",
    ),
    "infinite minimum": (NAME + NUMBER + "minimum = -inf\n" + TASK, "$.features[0].minimum must be finite, got -inf"),
    "knots that fall": (
        NAME + NUMBER + "knots = [1, 2, 2]\nlevels = [0, 0.5, 1]\n" + TASK,
        "$.features[0].knots[2] must be above the one before it as a 32-bit number, got 2.0 after 2.0 (feature 'age')",
    ),
    "knots beyond 32 bits": (
        NAME + NUMBER + "knots = [1, 1e39]\nlevels = [0, 1]\n" + TASK,
        "$.features[0].knots[1] must be a finite 32-bit number, got 1e+39 (feature 'age')",
    ),
    "knots without levels": (
        NAME + NUMBER + "knots = [1, 2]\n" + TASK,
        "$.features[0].levels must be as many numbers in [0, 1] as there are knots, ascending (feature 'age')",
    ),
    "zero deviation": (
        NAME + NUMBER + "std = 0.0\n" + TASK,
        "$.features[0].std must be above 0 and finite, got 0.0 (feature 'age')",
    ),
    "nan deviation": (NAME + NUMBER + "std = nan\n" + TASK, "$.features[0].std must be above 0 and finite, got nan"),
    "infinite deviation": (NAME + NUMBER + "std = inf\n" + TASK, "std must be above 0 and finite, got inf"),
    "infinite mean": (
        NAME + NUMBER + "mean = -inf\n" + TASK,
        "$.features[0].mean must be finite, got -inf (feature 'age')",
    ),
    "nan mean": (NAME + NUMBER + "mean = nan\n" + TASK, "$.features[0].mean must be finite, got nan"),
    "no boundaries": (
        NAME + BUCKETS + TASK,
        "$.features[0].boundaries must hold at least one number, or quantiles say how many buckets training fits",
    ),
    "empty boundaries": (
        NAME + BUCKETS + "boundaries = []\n" + TASK,
        "$.features[0].boundaries must hold at least one",
    ),
    "boundaries that fall": (
        NAME + BUCKETS + "boundaries = [1, 3, 2]\n" + TASK,
        "$.features[0].boundaries[2] must be above the one before it as a 32-bit number, got 2.0 after 3.0 (feature",
    ),
    "boundaries that are one number of 32 bits": (
        NAME + BUCKETS + "boundaries = [0.1, 0.100000001]\n" + TASK,
        "$.features[0].boundaries[1] must be above the one before it as a 32-bit number, got 0.100000001 after 0.1",
    ),
    "infinite boundary": (
        NAME + BUCKETS + "boundaries = [-inf, 1]\n" + TASK,
        "$.features[0].boundaries[0] must be a finite 32-bit number, got -inf (feature 'age')",
    ),
    "nan boundary": (
        NAME + BUCKETS + "boundaries = [1, nan]\n" + TASK,
        "$.features[0].boundaries[1] must be a finite 32-bit number, got nan (feature 'age')",
    ),
    "too many boundaries": (
        NAME + BUCKETS + f"boundaries = {list(range(1024))}\n" + TASK,
        "$.features[0].boundaries must be fewer than 1024, got 1024 (feature 'age')",
    ),
    "one bucket": (NAME + BUCKETS + "quantiles = 1\n" + TASK, "$.features[0].quantiles must be in [2, 1024], got 1"),
    "buckets without dimension": (
        NAME + BUCKETS + "quantiles = 4\nembedding_dim = 0\n" + TASK,
        "$.features[0].embedding_dim must be in [1, 4096], got 0 (feature 'age')",
    ),
    "shares a bucketized feature": (
        NAME + BUCKETS + "quantiles = 4\n" + SHARING.replace('"user"', '"age"') + TASK,
        "$.features[1].shares must name a categorical, bag or sequence feature, got 'age'",
    ),
    "no dim": (NAME + VECTOR.replace("dim = 3\n", "") + TASK, "$.features[0]: object missing required field dim"),
    "zero dim": (
        NAME + VECTOR.replace("= 3", "= 0") + TASK,
        "$.features[0].dim must be in [1, 16384], got 0 (feature 'place')",
    ),
    "too many dims": (NAME + VECTOR.replace("= 3", "= 16385") + TASK, "dim must be in [1, 16384], got 16385"),
    "projection to nothing": (
        NAME + VECTOR + "projection = 0\n" + TASK,
        "$.features[0].projection must be in [1, 16384], got 0 (feature 'place')",
    ),
    "empty time": ('time = ""\n' + GOOD, "$.time must not be empty"),
    "empty group": ('group = ""\n' + GOOD, "$.group must not be empty"),
    "empty weight column": ('sample_weight = ""\n' + GOOD, "$.sample_weight must not be empty"),
    "unknown key": ("colour = 1\n" + GOOD, "$: object contains unknown field colour"),
    "unknown key of a feature": (
        NAME + FEATURE + "colour = 1\n" + TASK,
        "$.features[0]: object contains unknown field colour",
    ),
    "unknown key of a task": (GOOD + "colour = 1\n", "$.tasks[0]: object contains unknown field colour"),
    "unknown kind": (GOOD.replace('"categorical"', '"series"'), "$.features[0].kind: invalid value 'series'"),
    "no kind": (GOOD.replace('kind = "binary"\n', ""), "$.tasks[0]: object missing required field kind"),
    "unknown transform": (NAME + NUMBER + 'transform = ["sqrt"]\n' + TASK, "$.features[0].transform[0]: invalid enum"),
    "unknown dtype": (GOOD.replace('"int64"', '"int32"'), "$.features[0].dtype: invalid enum value 'int32'"),
    "unknown pooling": (NAME + BAG + 'pooling = "min"\n' + TASK, "$.features[0].pooling: invalid enum value 'min'"),
    "unknown side": (NAME + FEATURE + 'side = "left"\n' + TASK, "$.features[0].side: invalid enum value 'left'"),
    "unknown unit": ('time_unit = "h"\n' + GOOD, "$.time_unit: invalid enum value 'h'"),
    "text for a number": (GOOD.replace("= 10", '= "10"'), "$.features[0].num_buckets: expected int | null, got str"),
    "fraction for a count": (GOOD.replace("= 10", "= 10.5"), "$.features[0].num_buckets: expected int | null"),
    "boolean for a count": (GOOD.replace("= 10", "= true"), "$.features[0].num_buckets: expected int | null, got bool"),
    "table for a list": (NAME + "features = 3\n" + TASK, "$.features: expected array, got int"),
    "not TOML": ("name = \n", "not valid TOML: Invalid value (at line 1, column 8)"),
    "key twice": (NAME + GOOD, "not valid TOML: Cannot overwrite a value"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_wrong_schema_is_refused_with_its_path(text: str, message: str) -> None:
    with pytest.raises(SchemaError, match=re.escape(message)) as caught:
        Schema.from_toml(text)
    assert len(str(caught.value).splitlines()) == 1


def test_wrong_file_is_named_before_the_path(tmp_path: Path) -> None:
    (tmp_path / "schema.toml").write_text(GOOD.replace("= 10", "= 0"))
    with pytest.raises(SchemaError, match=r"^/.*/schema\.toml: \$\.features\[0\]\.num_buckets must be in"):
        Schema.load(tmp_path / "schema.toml")


def test_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"^cannot read schema .*schema\.toml: no such file or directory$"):
        Schema.load(tmp_path / "schema.toml")


def test_directory_as_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"^cannot read schema .*: is a directory$"):
        Schema.load(str(tmp_path))


def test_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "schema.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(SchemaError, match=r"^cannot read schema .*schema\.toml: not UTF-8 text$"):
        Schema.load(tmp_path / "schema.toml")


def test_toml_gives_the_schema_back() -> None:
    schema = Schema.from_toml(TOY_TOML)
    assert Schema.from_toml(schema.to_toml()) == schema


def test_fields_without_value_are_not_written() -> None:
    text = Schema.from_toml(GOOD).to_toml()
    assert "shares" not in text
    assert "when" not in text


def test_sharing_feature_takes_the_owners_table() -> None:
    liked = Schema.from_toml(NAME + FEATURE + "embedding_dim = 4\n" + SHARING + TASK).hashed_features[1]
    assert isinstance(liked, BagFeature)
    assert (liked.dtype, liked.num_buckets, liked.embedding_dim) == ("int64", 10, 4)


def test_owner_may_stand_below_its_sharer() -> None:
    schema = Schema.from_toml(NAME + SHARING + FEATURE + TASK)
    assert schema.hashed_features[0].num_buckets == 10


def test_dimension_defaults_to_sixteen() -> None:
    assert Schema.from_toml(GOOD).hashed_features[0].embedding_dim == 16


def test_resolving_twice_changes_nothing(toy_schema: Schema) -> None:
    assert toy_schema.resolved() == toy_schema


def test_limits_themselves_are_accepted() -> None:
    features = (
        CategoricalFeature(name="a", dtype="text", num_buckets=2**31 - 1, embedding_dim=4096),
        BagFeature(name="b", dtype="text", num_buckets=1, embedding_dim=1, max_length=10_000),
    )
    task = BinaryTask(name="click", label="is_click")
    assert Schema(name="a", features=features, tasks=(task,)).resolved().features == features


def test_columns_are_split_by_kind(toy_schema: Schema) -> None:
    assert [feature.name for feature in toy_schema.hashed_features] == [
        "user_id",
        "item_id",
        "history",
        "tags",
        "device",
    ]
    assert [feature.name for feature in toy_schema.numeric_features] == ["score", "age", "plays", "duration_ms"]


def test_training_columns_are_each_named_once(toy_schema: Schema) -> None:
    observed = ("is_click", "is_like", "rating", "watch_s", "time_ms")
    assert toy_schema.training_columns == (*toy_schema.feature_columns, *observed)


def test_schema_without_time_needs_no_time_column() -> None:
    assert Schema.from_toml(GOOD).training_columns == ("user", "is_click")


def test_group_and_weight_are_training_columns() -> None:
    schema = Schema.from_toml('time = "at"\ngroup = "user"\nsample_weight = "w"\n' + GOOD)
    assert schema.training_columns == ("user", "is_click", "at", "w")
    assert Schema.from_toml(schema.to_toml()) == schema


def test_schema_cannot_be_changed(toy_schema: Schema) -> None:
    with pytest.raises(AttributeError):
        toy_schema.name = "other"  # type: ignore[misc]


def test_suggestion_offers_only_what_is_close() -> None:
    assert suggestion("user", ["users", "video"]) == "; did you mean 'users'?"
    assert suggestion("user", ["video"]) == ""


def test_absent_toml_writer_names_the_extra(toy_schema: Schema, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_tomli_w(name: str, *args: Any) -> Any:
        if name == "tomli_w":
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without_tomli_w)
    with pytest.raises(MissingExtraError, match=r"writing TOML needs tomli-w; pip install 'polyrank\[train\]'"):
        toy_schema.to_toml()


def test_numeric_statistics_are_read() -> None:
    schema = Schema.from_toml(NAME + NUMBER + "mean = 1.5\nstd = 2\n" + TASK)
    assert schema.features == (NumericFeature(name="age", mean=1.5, std=2.0),)


def test_bucketized_feature_has_the_default_dimension() -> None:
    schema = Schema.from_toml(NAME + BUCKETS + "boundaries = [1]\n" + TASK)
    assert schema.dense_features == (BucketizedFeature(name="age", boundaries=(1.0,), embedding_dim=16),)
    assert (schema.hashed_features, schema.numeric_features) == ((), ())
