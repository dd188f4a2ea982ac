"""loop.toml: what is refused, with which line, and what paths stand for."""

from pathlib import Path

import pytest
from artefacts.shop_logs import LOOP, SCHEMA, Shop

from polyrank.attribution import JoinOptions
from polyrank.errors import ConfigError, SchemaError
from polyrank.loop import Loop
from polyrank.loop.steps.rows import join_options


def refusal(folder: Path, text: str) -> str:
    shop = Shop.open(folder, text)
    with pytest.raises(ConfigError) as refused:
        Loop.load(shop.settings)
    return str(refused.value).removeprefix(f"{shop.settings}: ")


def changed(old: str, new: str) -> str:
    assert old in LOOP
    return LOOP.replace(old, new)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    loop = Loop.load(Shop.open(tmp_path).settings)
    assert loop.folder == tmp_path / "loop"
    assert loop.repository == tmp_path / "models"
    assert loop.path("../elsewhere") == tmp_path.parent / "elsewhere"
    assert loop.path("/data") == Path("/data")


def test_paths_below_the_file_are_shown_from_there(tmp_path: Path) -> None:
    loop = Loop.load(Shop.open(tmp_path).settings)
    assert loop.shown(tmp_path / "models" / "shop") == "models/shop"
    assert loop.shown(Path("/data/logs")) == "/data/logs"


def test_model_is_named_after_the_schema_unless_it_is_named(tmp_path: Path) -> None:
    assert Loop.load(Shop.open(tmp_path / "one").settings).model == "shop"
    named = changed('repository = "models"', 'repository = "models"\nmodel = "other"')
    assert Loop.load(Shop.open(tmp_path / "two", named).settings).model == "other"


def test_repository_may_be_an_address_of_a_folder(tmp_path: Path) -> None:
    text = changed('"models"', f'"file://{tmp_path}/else%20where"')
    assert Loop.load(Shop.open(tmp_path, text).settings).repository == tmp_path / "else where"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "[watch]",
            "[watch]\ntolerances = 1",
            "$.watch: object contains unknown field tolerances; did you mean 'tolerance'?",
        ),
        ("[watch]", "[wacht]", "$: object contains unknown field wacht; did you mean 'watch'?"),
        ("min_rows = 300", "min_rows = 0", "$.rows.min_rows must be 1 or above, got 0"),
        ("min_rows = 300", "replay_cycles = -1", "$.rows.replay_cycles must be 0 or above, got -1"),
        (
            'window = "30m"',
            'window = "soon"',
            "$.rows.window must be a duration above 0 and up to 100 years, such as 45s, 30m, 12h or 7d, got 'soon'",
        ),
        (
            'window = "30m"',
            'windows = { buy = "-1d" }',
            "$.rows.windows.buy must be a duration above 0 and up to 100 years, such as 45s, 30m, 12h or 7d, got '-1d'",
        ),
        (
            'window = "30m"',
            'windows = { by = "1d" }',
            "$.rows.windows names 'by', which is no task of schema.toml; did you mean 'buy'?",
        ),
        ("[export]", "[drift]\npsi = 0\n[export]", "$.drift.psi must be above 0 and finite, got 0.0"),
        (
            "[export]",
            '[drift]\naction = "halt"\n[export]',
            "$.drift.action: invalid enum value 'halt'; expected 'stop' or 'warn'",
        ),
        ("tolerance = 0.5", "tolerance = -1", "$.evaluate.tolerance must be 0 or above, got -1.0"),
        ("tolerance = 0.5", "tolerance = nan", "$.evaluate.tolerance must be 0 or above, got nan"),
        ("tolerance = 0.5", "level = 1", "$.evaluate.level must be in (0, 1), got 1.0"),
        ("tolerance = 0.5", "resamples = 3", "$.evaluate.resamples must be 20 or above, got 3"),
        ("min_rows = 20", "min_rows = 0", "$.evaluate.min_rows must be 1 or above, got 0"),
        ("min_positives = 5", "min_positives = 0", "$.evaluate.min_positives must be 1 or above, got 0"),
        (
            "tolerance = 0.5",
            'tasks = ["clicks"]',
            "$.evaluate.tasks names 'clicks', which is no task of schema.toml; did you mean 'click'?",
        ),
        (
            "tolerance = 0.5",
            'metrics = { click = "acu" }',
            (
                "$.evaluate.metrics.click must be one of auc, gauc, log_loss, normalized_entropy, calibration_error, "
                "calibration, ndcg@10, recall@10, got 'acu'; did you mean 'auc'?"
            ),
        ),
        (
            "tolerance = 0.5",
            'metrics = { click = "calibration" }',
            "$.evaluate.metrics.click is 'calibration', which has no better side; choose another metric",
        ),
        (
            "rows_only = true",
            "rows_only = true\ntop_k = 5",
            "$.export.top_k is of the graph that $.export.rows_only leaves out; leave one of them out",
        ),
        (
            "rows_only = true",
            'rows_only = true\nscore = "product"',
            "$.export.score is of the graph that $.export.rows_only leaves out; leave one of them out",
        ),
        (
            "rows_only = true",
            'triton = "26.07"\nonnxruntime = "1.24"',
            "$.export.triton and $.export.onnxruntime both say what will serve; leave one of them out",
        ),
        (
            '"models"',
            '"s3://bucket/models"',
            "$.publish.repository must be a folder, which can be rolled back, got 's3://bucket/models'",
        ),
        (
            '"impressions"',
            '"s3://bucket/impressions"',
            "$.rows.impressions must be files or a folder of this machine, got 's3://bucket/impressions'",
        ),
        ('"models"', '"models"\nkeep = 1', "$.publish.keep must be 2 or above, got 1"),
        ('"models"', '"models"\ntimeout_s = 0', "$.publish.timeout_s must be above 0, got 0.0"),
        ("[watch]", "[watch]\ntolerance = 1.0", "$.watch.tolerance must be in [0, 1), got 1.0"),
        ("[watch]", "[watch]\nconfidence = 0", "$.watch.confidence must be in (0, 1), got 0.0"),
        ("min_impressions = 100", "min_impressions = 0", "$.watch.min_impressions must be 1 or above, got 0"),
        (
            "[watch]",
            '[watch]\nfor = "x"',
            "$.watch.for must be a duration above 0 and up to 100 years, such as 45s, 30m, 12h or 7d, got 'x'",
        ),
        (
            "[watch]",
            '[watch]\nlower_is_better = ["hide"]',
            "$.watch.lower_is_better names 'hide', which is no task of schema.toml",
        ),
        ("[watch]", "[loop]\npoll_s = 0\n[watch]", "$.loop.poll_s must be above 0, got 0.0"),
        ("[watch]", "[loop]\nkeep_cycles = 1\n[watch]", "$.loop.keep_cycles must be 2 or above, got 1"),
    ],
)
def test_wrong_settings_are_refused_with_their_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert refusal(tmp_path, changed(old, new)) == message


def test_schema_without_a_time_column_is_refused(tmp_path: Path) -> None:
    shop = Shop.open(tmp_path)
    (tmp_path / "schema.toml").write_text(SCHEMA.replace('time = "time_ms"', ""))
    with pytest.raises(
        ConfigError, match=r"\$\.loop\.schema schema\.toml names no time column, which orders rows; add"
    ):
        Loop.load(shop.settings)


USER = next(line for line in SCHEMA.splitlines() if 'name = "user_id"' in line)


def without_users(shop: Shop) -> Shop:
    (shop.folder / "schema.toml").write_text(SCHEMA.replace('group = "user_id"', "").replace(USER, ""))
    return shop


def test_watched_tasks_need_a_column_of_users(tmp_path: Path) -> None:
    shop = without_users(Shop.open(tmp_path))
    with pytest.raises(ConfigError, match=r"\$\.rows\.user must name the column of users, by whom tasks are watched: "):
        Loop.load(shop.settings)


@pytest.mark.parametrize(("old", "new"), [("[train]", 'user = "user_id"\n[train]'), ("[watch]", "[watch]\ntasks = []")])
def test_users_may_be_named_or_nothing_watched(tmp_path: Path, old: str, new: str) -> None:
    assert Loop.load(without_users(Shop.open(tmp_path, changed(old, new))).settings).model == "shop"


def test_schema_that_is_missing_is_named(tmp_path: Path) -> None:
    shop = Shop.open(tmp_path)
    (tmp_path / "schema.toml").unlink()
    with pytest.raises(SchemaError, match=r"cannot read schema .*schema\.toml: no such file or directory"):
        Loop.load(shop.settings)


def test_settings_that_are_missing_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read loop settings .*none\.toml: no such file or directory"):
        Loop.load(tmp_path / "none.toml")


def test_classes_have_no_mean_to_be_watched(tmp_path: Path) -> None:
    shop = Shop.open(tmp_path)
    genre = '{ name = "genre", kind = "multiclass", label = "genre", num_classes = 4 },\n]'
    (tmp_path / "schema.toml").write_text(SCHEMA.rstrip().removesuffix("]") + genre)
    loop = Loop.load(shop.settings)
    assert [task.name for task in loop.watched_tasks] == ["click", "buy"]
    assert [task.name for task in loop.judged_tasks] == ["click", "buy", "genre"]


def test_join_has_the_columns_and_tables_of_the_settings(tmp_path: Path) -> None:
    named = 'user = "u"\nitem = "i"\ntime = "t"\nitems = "items.parquet"\nposition = "p"\npositions = "p.json"\n[train]'
    loop = Loop.load(Shop.open(tmp_path, changed("[train]", named)).settings)
    assert join_options(loop, None) == JoinOptions(
        windows_s={"click": 1_800.0, "buy": 1_800.0},
        user="u",
        item="i",
        time="t",
        items=tmp_path / "items.parquet",
        position="p",
        positions=tmp_path / "p.json",
    )


def test_windows_and_spans_are_read_as_durations(tmp_path: Path) -> None:
    text = changed('window = "30m"', 'window = "30m"\nwindows = { buy = "2d" }') + '\nfor = "6h"\n'
    settings = Loop.load(Shop.open(tmp_path, text).settings).settings
    assert (settings.rows.window_s("click"), settings.rows.window_s("buy")) == (1_800, 172_800)
    assert (settings.evaluate.holdout_s, settings.watch.span_s) == (3_600, 21_600)
