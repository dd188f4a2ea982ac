"""What commands would find of a model, invented: an evaluation with every part, a load test and a comparison."""

import json
import math
from typing import Any

import numpy as np

from polyrank.evaluation import findings, results
from polyrank.evaluation.findings import Interval, MetricValue, SlicePart
from polyrank.evaluation.results import Result

HOSTILE = "</script><img src=x onerror=alert(1)>"
EXPRESSION = "'] + alert(1) + datum['"
"""What would end a string in an expression of a picture."""

BINARY = ("click", "like")
RUN_ID = "4e5fe4b184e9"


def rich_result(run_id: str = RUN_ID, *, source: str = "runs/a") -> Result:
    """Make an evaluation that has something to say in every section."""
    return Result(
        model=results.Model(source=source, kind="run", name="toy", run_id=run_id),
        data=results.Rows(
            source="rows.parquet",
            part="all",
            rows=20_000,
            group="user_id",
            groups=480,
            begins="2026-03-01T00:00:00Z",
            ends="2026-03-07T23:59:59Z",
        ),
        tasks=_tasks(),
        slices=_slices(),
        calibration={task: _bins(bend) for task, bend in (("click", 1.0), ("like", 1.35))},
        distributions={task: _distribution(task) for task in (*BINARY, "rating")},
        group_areas={task: _areas(seed) for seed, task in enumerate(BINARY)},
        ordering=_ordering(),
        trade_offs=(_trade_off("click", "like"), _trade_off("click", "rating")),
        catalogue=_catalogue(),
        importance=_importances(),
        tables=_tables(),
        level=0.95,
        resamples=200,
        seed=0,
        seconds=12.5,
        created="2026-03-08T09:00:00Z",
        environment={"polyrank": "0.1.0", "numpy": "2.3", "machine": "2 cores"},
    )


def metric(name: str, value: float | None, width: float | None = None, **rest: Any) -> MetricValue:
    """Make a metric with an interval of a width on each side."""
    best = {"auc": "high", "gauc": "high", "xauc": "high", "ndcg@10": "high", "calibration": "one"}.get(name, "low")
    interval = None if width is None or value is None else (value - width, value + width)
    return MetricValue(name=name, best=best, value=value, interval=interval, **rest)  # type: ignore[arg-type]


def _tasks() -> tuple[results.TaskResult, ...]:
    click = (
        metric("auc", 0.7312, 0.006),
        metric("gauc", 0.6874, 0.009),
        metric("log_loss", 0.5121, 0.004),
        metric("calibration", 1.0042, 0.011),
        metric("ndcg@10", 0.6122, 0.008),
    )
    like = (
        metric("auc", 0.6641, 0.014),
        metric("gauc", None, undefined="no group has observed labels of both classes"),
        metric("log_loss", 0.3311, 0.006),
        metric("calibration", 1.1420, 0.031),
    )
    rating = (metric("rmse", 1.0212, 0.012), metric("mae", 0.8121, 0.009), metric("xauc", 0.5871, 0.007))
    return (
        results.TaskResult(
            task="click",
            kind="binary",
            label="is_click",
            rows=20_000,
            mean_label=0.31,
            mean_answer=0.3113,
            metrics=click,
            counts={"gauc.groups": 431},
        ),
        results.TaskResult(
            task="like",
            kind="binary",
            label="is_like",
            rows=6_200,
            mean_label=0.11,
            mean_answer=0.1256,
            metrics=like,
        ),
        results.TaskResult(
            task="rating",
            kind="regression",
            label="rating",
            rows=15_900,
            mean_label=3.02,
            mean_answer=3.01,
            metrics=rating,
        ),
    )


def _slices() -> tuple[findings.Slice, ...]:
    devices = {"phone": 0.012, "__proto__": 0.004, "tv": -0.061, HOSTILE: -0.01, EXPRESSION: 0.0, "missing": -0.02}
    ages = {"18 to 25": 0.02, "26 to 35": 0.01, "36 to 50": -0.004, "51 and above": -0.031}
    activity = {"1 to 4": -0.082, "5 to 19": -0.02, "20 to 99": 0.004, "100 and above": 0.018}
    return (
        findings.Slice(by="device", kind="column", parts=tuple(_part(*each) for each in devices.items())),
        findings.Slice(by="age", kind="column", parts=tuple(_part(*each) for each in ages.items())),
        findings.Slice(by="is item_id new", kind="novelty", parts=(_part("known", 0.004), _part("new", -0.11))),
        findings.Slice(by="rows of the user", kind="activity", parts=tuple(_part(*each) for each in activity.items())),
    )


def _part(value: str, shift: float) -> SlicePart:
    rows = 1_200 + 40 * len(value)
    metrics = {
        "click": metric("auc", 0.7312 + shift, 0.022),
        "like": metric("auc", 0.6641 + shift / 2, 0.05),
        "rating": metric("rmse", 1.0212 - shift, 0.03),
    }
    worse = tuple(task for task, least in (("click", -0.022), ("rating", -0.03)) if shift < least)
    calibration = {"click": 1 + shift, "like": 1.14, "rating": None}
    return SlicePart(value=value, rows=rows, metrics=metrics, calibration=calibration, worse=worse)


def _bins(bend: float) -> tuple[findings.CalibrationBin, ...]:
    answers = np.linspace(0.04, 0.82, 10)
    return tuple(
        findings.CalibrationBin(rows=2_000, answer=answer, label=answer**bend, interval=_around(answer**bend, 0.02))
        for answer in answers.tolist()
    )


def _around(value: float, width: float) -> Interval:
    return (value - width, value + width)


def _distribution(task: str) -> findings.Distribution:
    edges = np.linspace(1, 5, 21) if task == "rating" else np.linspace(0, 1, 21)
    centres = {"all": 3.1} if task == "rating" else {"0": 0.25, "1": 0.48}
    middles, scale = (edges[1:] + edges[:-1]) / 2, (edges[-1] - edges[0]) / 7
    series = {
        name: tuple(int(count) for count in 2_000 * np.exp(-(((middles - centre) / scale) ** 2)))
        for name, centre in centres.items()
    }
    return findings.Distribution(edges=tuple(edges.tolist()), series=series)


def _areas(seed: int) -> findings.GroupAreas:
    areas = np.clip(np.random.default_rng(seed).normal(0.69, 0.12, 431), 0, 1)
    counts, edges = np.histogram(areas, bins=20, range=(0, 1))
    quantiles = {str(each): float(np.quantile(areas, each)) for each in (0.05, 0.25, 0.5, 0.75, 0.95)}
    return findings.GroupAreas(
        groups=431,
        skipped_groups=49,
        below_half=float((areas < 0.5).mean()),
        below_half_by_chance=0.451,
        quantiles=quantiles,
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
    )


def _ordering() -> findings.Ordering:
    quality = {
        "click": findings.OrderQuality(ndcg=0.6012, recall=0.5521, top_label=0.4121, mean_label=0.31, own_ndcg=0.6122),
        "like": findings.OrderQuality(ndcg=0.4012, recall=0.4621, top_label=0.1421, mean_label=0.11, own_ndcg=0.4211),
        "rating": findings.OrderQuality(ndcg=0.8812, recall=None, top_label=None, mean_label=None, own_ndcg=0.8911),
    }
    weights = {"click": 1.0, "like": 2.0}
    return findings.Ordering(k=10, weights=weights, groups=480, groups_above_k=402, tasks=quality)


def _trade_off(first: str, second: str) -> findings.TradeOff:
    points = tuple(
        findings.TradePoint(
            share=share,
            weights=(1 - share, 3.2 * share),
            ndcg=(0.61 - 0.08 * share**2, 0.35 + 0.07 * math.sin(share * math.pi / 2)),
        )
        for share in np.linspace(0, 1, 11).tolist()
    )
    return findings.TradeOff(tasks=(first, second), k=10, rows=20_000, points=points)


def _catalogue() -> findings.Catalogue:
    return findings.Catalogue(
        user="user_id",
        item="item_id",
        users=500,
        items=1_000,
        of_items=4_000,
        k=10,
        weights={"click": 1.0, "like": 2.0},
        coverage=0.214,
        possible_coverage=1.0,
        gini=0.871,
        possible_gini=0.0,
        popularity=0.812,
        logged_popularity=0.744,
        top_items=tuple((HOSTILE if place == 3 else f"item {place}", 0.61 * 0.9**place) for place in range(12)),
    )


def _importances() -> findings.Importances:
    worth = {"user_id": 0.051, "item_id": 0.043, "history": 0.021, "age": 0.006, "device": 0.001, HOSTILE: -0.0004}
    columns = tuple(
        findings.Importance(
            column=column,
            losses={"click": loss, "like": loss / 2, "rating": loss * 1.4},
            ranges={
                "click": _around(loss, 0.002),
                "like": _around(loss / 2, 0.004),
                "rating": _around(loss * 1.4, 0.01),
            },
        )
        for column, loss in worth.items()
    )
    metrics = {"click": "auc", "like": "auc", "rating": "rmse"}
    base = {"click": 0.7312, "like": 0.6641, "rating": 1.0212}
    return findings.Importances(rows=5_000, shuffles=5, metrics=metrics, base=base, columns=columns)


def _tables() -> tuple[findings.TableLoad, ...]:
    return tuple(
        findings.TableLoad(
            table=table,
            features=(table,),
            distinct=distinct,
            num_buckets=buckets,
            collisions=collisions,
            expected_collisions=1 - (1 - 1 / buckets) ** (distinct - 1),
        )
        for table, distinct, buckets, collisions in (("user_id", 480, 500, 0.61), ("item_id", 40, 300, 0.12))
    )


def load_test(run_id: str = RUN_ID) -> dict[str, Any]:
    """Make what `polyrank loadtest --json` prints, of which the last rate is not held."""
    loads = [
        _load(rate, p50, holds=rate < 3_200)
        for rate, p50 in ((200, 1.4), (400, 1.5), (800, 1.8), (1_600, 2.9), (3_200, 41.0))
    ]
    found = {"model": "toy", "version": "3", "run_id": run_id, "batch": 100, "seconds": 10.0}
    return found | {"highest_rate": None, "p99_ms": None, "loads": loads}


def _load(rate: float, p50: float, *, holds: bool) -> dict[str, Any]:
    latencies = {
        f"{name}_ms": p50 * factor for name, factor in (("p50", 1), ("p90", 1.6), ("p99", 3), ("p999", 6), ("max", 9))
    }
    answered = rate if holds else 0.8 * rate
    errors = {} if holds else {"deadline of 5 s passed": 412}
    counts = {"rate": rate, "requests": int(10 * rate), "seconds": 10.0, "answered": answered, "errors": errors}
    return counts | latencies | {"versions": ["3"], "holds": holds}


def comparison(baseline: str = "one_per_task") -> dict[str, Any]:
    """Make what `polyrank compare --json` prints: one model gains in a task and loses in another."""
    changes = [
        _change("click", "mmoe", 0.0041, 0.0011, "better"),
        _change("click", "ple", 0.0052, 0.0012, "better"),
        _change("like", "mmoe", -0.0093, 0.0031, "worse"),
        _change("like", "ple", 0.0004, 0.0042, "no clear difference"),
    ]
    costs = [
        {"model": model, "graphs": graphs, "table_parameters": 66_240, "layer_parameters": 22_276}
        | {
            "weights_mib": 0.34,
            "latency_ms": {"1": 0.05, "100": 0.17, "1000": 0.98},
            "train_s": 41.2,
            "rows_per_s": 51_000.0,
        }
        for model, graphs in ((baseline, 2), ("mmoe", 1), ("ple", 1))
    ]
    found = {"baseline": baseline, "rows": 2_000, "seeds": 3, "level": 0.95, "changes": changes, "runs": {}}
    return found | {"costs": costs, "engine": "ONNX Runtime 1.24"}


def _change(task: str, model: str, difference: float, width: float, verdict: str) -> dict[str, Any]:
    values = [0.7312 + difference] * 3
    interval = [difference - width, difference + width]
    found = {"task": task, "metric": "auc", "best": "high", "model": model, "values": values, "baseline": [0.7312] * 3}
    return (
        found
        | {"difference": difference, "seeds_interval": interval, "rows_interval": interval}
        | {
            "interval": interval,
            "verdict": verdict,
        }
    )


def as_text(found: dict[str, Any]) -> str:
    """Write what a command would have printed."""
    return json.dumps(found)
