import math

import pytest

from polyrank.errors import ConfigError
from polyrank.features import NumericFeature
from polyrank.metrics import find_metric, joint_cost, metric_names
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, CountTask, MulticlassTask, OrdinalTask, RegressionTask, Task

CLICK = BinaryTask(name="click", label="c")
TASKS: dict[str, tuple[Task, list[str]]] = {
    "binary": (
        CLICK,
        ["auc", "gauc", "log_loss", "normalized_entropy", "calibration_error", "calibration", "ndcg@10", "recall@10"],
    ),
    "regression": (RegressionTask(name="watch", label="w"), ["rmse", "mae", "xauc"]),
    "log1p": (RegressionTask(name="watch", label="w", transform="log1p"), ["rmse", "mae", "xauc", "rmsle"]),
    "count": (CountTask(name="shares", label="s"), ["rmse", "mae", "poisson_deviance", "calibration"]),
    "ordinal": (OrdinalTask(name="stars", label="s", levels=(1, 2)), ["rmse", "mae", "quadratic_kappa", "accuracy"]),
    "multiclass": (MulticlassTask(name="kind", label="k", num_classes=3), ["log_loss", "accuracy", "macro_auc"]),
}


def schema(group: str | None = None) -> Schema:
    tasks = (CLICK, RegressionTask(name="rating", label="r"))
    return Schema(name="toy", features=(NumericFeature(name="x"),), tasks=tasks, group=group)


@pytest.mark.parametrize("kind", TASKS)
def test_metrics_of_a_kind_of_task(kind: str) -> None:
    task, names = TASKS[kind]
    assert list(metric_names(task)) == names


def test_metrics_over_groups_need_groups() -> None:
    assert set(metric_names(CLICK)) - set(metric_names(CLICK, grouped=False)) == {"gauc", "ndcg@10", "recall@10"}


@pytest.mark.parametrize(
    ("name", "better", "worse"),
    [
        ("click.auc", 0.7, 0.6),
        ("click.ndcg@10", 0.7, 0.6),
        ("click.log_loss", 0.3, 0.4),
        ("rating.rmse", 0.9, 1.0),
        ("click.calibration", 0.9, 1.2),
        ("click.calibration", 1.2, 0.8),
        ("click.calibration", 3.0, 0.0),
        ("click.auc", 0.1, math.nan),
        ("rating.rmse", 9.0, math.nan),
    ],
)
def test_better_value_costs_less(name: str, better: float, worse: float) -> None:
    _, metric = find_metric(schema("user"), name)
    assert metric.cost(better) < metric.cost(worse)


def test_metric_is_found_with_its_task() -> None:
    task, metric = find_metric(schema(), "rating.rmse")
    assert (task.name, metric.name, metric.best) == ("rating", "rmse", "low")


@pytest.mark.parametrize("name", ["click.acu", "acu", "click", "rating.auc", ""])
def test_unknown_metric_is_rejected_with_what_there_is(name: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"^metric '{name}' is none of this schema.*; there are click\.auc, click\.log"
    ):
        find_metric(schema(), name)


def test_misspelt_metric_is_guessed() -> None:
    with pytest.raises(ConfigError, match=r"; did you mean 'rating\.rmse'\?; there are"):
        find_metric(schema(), "rating.rsme")


def test_metric_over_groups_is_rejected_without_a_group_column() -> None:
    with pytest.raises(
        ConfigError, match=r"^metric 'click\.gauc' is a mean over groups, and the schema names no group"
    ):
        find_metric(schema(), "click.gauc")


def test_joint_cost_weighs_a_tenth_of_each_metric_alike() -> None:
    start = joint_cost(schema(), {"click": {"auc": 0.8}, "rating": {"rmse": 50.0}})
    click = joint_cost(schema(), {"click": {"auc": 0.82}, "rating": {"rmse": 50.0}})
    rating = joint_cost(schema(), {"click": {"auc": 0.8}, "rating": {"rmse": 45.0}})
    assert click == pytest.approx(rating)
    assert click == pytest.approx(start + math.log(0.9) / 2)


def test_joint_cost_leaves_undefined_metrics_out() -> None:
    assert joint_cost(schema(), {"click": {"auc": math.nan}, "rating": {"rmse": 2.0}}) == pytest.approx(math.log(2.0))
    assert joint_cost(schema(), {"click": {"auc": math.nan}, "rating": {"rmse": math.nan}}) == math.inf
    assert math.isfinite(joint_cost(schema(), {"click": {"auc": 1.0}, "rating": {"rmse": 0.0}}))
