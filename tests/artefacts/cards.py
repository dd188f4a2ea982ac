"""Facts, an evaluation, and the tables of a card that was made of them."""

from typing import Any

import msgspec
from markdown_it import MarkdownIt

from polyrank.card import Comparison, Facts, card_text
from polyrank.evaluation import Result, results
from polyrank.evaluation import findings as found
from polyrank.run_record import Kept, RunRecord, TrainedTable
from polyrank.schema import Schema
from polyrank.signature import Signature, slots_of, weights_of

Sections = dict[str, list[list[str]]]
SCHEMA = Schema.from_toml("""
name = "shop"
time = "at"
group = "user"
sample_weight = "importance"
features = [
  { name = "user", kind = "categorical", dtype = "int64", num_buckets = 1_000, side = "user" },
  { name = "item", kind = "categorical", identity = true, num_buckets = 50, embedding_dim = 4, side = "item" },
  { name = "seen", kind = "sequence", shares = "item", max_length = 7, side = "user" },
  { name = "price", kind = "numeric", transform = ["log1p", "standardize"], side = "item" },
  { name = "age", kind = "bucketized", boundaries = [18, 30], embedding_dim = 2, side = "user" },
  { name = "image", kind = "vector", dim = 9, projection = 3, side = "item" },
  { name = "both", kind = "cross", features = ["user", "hour"], num_buckets = 70 },
  { name = "hour", kind = "categorical", dtype = "int64", num_buckets = 24 },
  { name = "near", kind = "neighbors", of = "hour", by = "user", k = 4 },
]
tasks = [
  { name = "click", kind = "binary", label = "is_click" },
  { name = "buy", kind = "binary", label = "is_buy", when = "is_click", weight = 2.0 },
  { name = "stars", kind = "ordinal", label = "stars", levels = [1, 2, 5] },
]
""")
RECORD = RunRecord(
    run_id="abc",
    train_rows=9_000,
    validation_rows=1_000,
    data_digest="d1935",
    validation={"click": {"auc": 0.61239}, "buy": {"auc": None}, "stars": {"rmse": 0.75}},
    undefined={"buy": {"auc": "its observed labels are of one class"}},
    counts={"click": {"rows": 1_000}, "buy": {"rows": 40}},
    intervals={"click": {"auc": (0.48, 0.7)}},
    tables={"user": TrainedTable(rows=1_001, trained=321)},
    kept=Kept(epoch=3, steps=27),
    config={
        "seed": 5,
        "model": {"architecture": "mmoe", "hidden_dims": [8, 4], "tower_dims": [], "calibration": "none"},
        "validation": {"share": 0.1, "resamples": 200},
        "rare_ids": {"min_count": 0},
    },
)
COMPARISON = Comparison(
    graph="this graph", onnxruntime="1.32.0", difference=3.4e-7, limit=1e-5, output="buy", rows="sample", batch_size=33
)


def facts(schema: Schema = SCHEMA, record: RunRecord | None = RECORD, **changes: Any) -> Facts:
    signature = Signature(
        schema=schema,
        slots=slots_of(schema),
        weights=weights_of(schema),
        dense=(),
        outputs=(),
        opset=20,
        ir_version=10,
        triton="26.07",
        onnxruntime="1.27.0",
        run_id="abc",
        polyrank="0.1.0",
    )
    kept = {"sizes": {"model.onnx": 12_345}, "comparisons": (COMPARISON,)} | changes
    return Facts(signature=msgspec.structs.replace(signature, **kept.pop("signed", {})), record=record, **kept)


def record(**changes: Any) -> RunRecord:
    return msgspec.structs.replace(RECORD, **changes)


def parsed(text: str) -> Sections:
    """Return the rows of the tables below each heading, head first, as the text that readers see."""
    sections: Sections = {}
    rows: list[list[str]] = []
    title = False
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "heading_open":
            title = True
        elif token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            shown = "".join(child.content for child in token.children or ())
            if title:
                rows, title = sections.setdefault(shown, []), False
            elif token.level == 4 or token.map is None:  # a cell, and no paragraph or point of a list
                rows[-1].append(shown)
    return sections


def sections(evaluation: Result | None = None, **changes: Any) -> Sections:
    return parsed(card_text(facts(**changes), evaluation))


def evaluation(**changes: Any) -> Result:
    auc = found.MetricValue(name="auc", best="high", value=0.7, interval=(0.6, 0.8))
    parts = [
        found.SlicePart(value=f"v|{rows}", rows=rows, metrics={"click": auc}, calibration={}) for rows in range(1, 14)
    ]
    given = Result(
        model=results.Model(source="bundle", kind="bundle", name="shop", run_id="abc"),
        data=results.Rows(source="new|rows.parquet", part="all", rows=77),
        tasks=(
            results.TaskResult(
                task="click", kind="binary", label="y", rows=7, mean_label=0.1, mean_answer=0.2, metrics=(auc,)
            ),
        ),
        slices=(found.Slice(by="is_new", kind="column", parts=tuple(parts)),),
        calibration={
            "click": (
                found.CalibrationBin(rows=5, answer=0.1, label=0.4, interval=(0.3, 0.5)),
                found.CalibrationBin(rows=5, answer=0.8, label=0.7, interval=(0.6, 0.9)),
            )
        },
        group_areas={
            "click": found.GroupAreas(
                groups=8,
                skipped_groups=1,
                below_half=0.125,
                below_half_by_chance=0.4375,
                quantiles={"0.5": 0.75},
                edges=(0.0, 1.0),
                counts=(8,),
            )
        },
        ordering=found.Ordering(
            k=3,
            weights={"click": 2.0},
            groups=9,
            groups_above_k=8,
            tasks={"click": found.OrderQuality(ndcg=0.5, recall=None, top_label=None, mean_label=0.2, own_ndcg=0.6)},
        ),
        catalogue=found.Catalogue(
            user="user",
            item="item",
            users=10,
            items=40,
            of_items=50,
            k=3,
            weights={"click": 2.0},
            coverage=0.25,
            possible_coverage=0.75,
            gini=0.5,
            possible_gini=0.25,
            popularity=0.875,
            logged_popularity=0.625,
        ),
        importance=found.Importances(
            rows=20,
            shuffles=3,
            metrics={"click": "auc"},
            base={"click": 0.7},
            columns=(found.Importance(column="ag|e", losses={"click": 0.0625}, ranges={"click": (0.0, 0.1)}),),
        ),
        level=0.95,
        resamples=100,
        seed=0,
        seconds=1.0,
        created="2026-01-02T03:04:05Z",
    )
    return msgspec.structs.replace(given, **changes)
