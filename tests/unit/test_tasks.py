"""What each kind of task takes as a label, answers, and refuses."""

import re
from typing import Any

import numpy as np
import pytest

from polyrank.errors import SchemaError
from polyrank.schema import Schema
from polyrank.tasks import (
    MAX_CLASSES,
    BinaryTask,
    CountTask,
    MulticlassTask,
    OrdinalTask,
    RegressionTask,
    Task,
    kind_of,
)

NAN = float("nan")
CLICK = BinaryTask(name="t", label="y")
WATCH = RegressionTask(name="t", label="y", transform="log1p")
STARS = OrdinalTask(name="t", label="y", levels=(0.1, 0.5, 3.0))
GENRE = MulticlassTask(name="t", label="y", num_classes=3)
PLAYS = CountTask(name="t", label="y")
PLAIN = RegressionTask(name="t", label="y")
FEATURE = '[[features]]\nname = "user"\nkind = "categorical"\ndtype = "int64"\nnum_buckets = 10\n'


def test_every_kind_has_a_name() -> None:
    found = [kind_of(task) for task in (CLICK, PLAIN, STARS, GENRE, PLAYS)]
    assert found == ["binary", "regression", "ordinal", "multiclass", "count"]


@pytest.mark.parametrize(
    ("task", "num_logits", "num_answers"),
    [(CLICK, 1, 1), (PLAIN, 1, 1), (WATCH, 1, 1), (STARS, 2, 1), (GENRE, 3, 3), (PLAYS, 1, 1)],
)
def test_logits_and_answers_are_counted(task: Task, num_logits: int, num_answers: int) -> None:
    assert (task.num_logits, task.num_answers) == (num_logits, num_answers)


@pytest.mark.parametrize("task", [CLICK, PLAIN, PLAYS])
def test_a_number_is_one_output(task: Task) -> None:
    assert task.outputs == {"t": 1}


def test_ordinal_task_has_an_output_of_probabilities() -> None:
    assert (STARS.outputs, GENRE.outputs) == ({"t": 1, "t_probabilities": 3}, {"t": 3})


def test_task_named_like_probabilities_is_refused() -> None:
    tasks = (
        '[[tasks]]\nname = "t_probabilities"\nkind = "binary"\nlabel = "z"\n'
        '[[tasks]]\nname = "t"\nkind = "ordinal"\nlabel = "y"\nlevels = [1, 2]\n'
    )
    with pytest.raises(
        SchemaError,
        match=r"^\$\.tasks\[0\]\.name 't_probabilities' is the output of the probabilities of task 't'; rename one of ",
    ):
        Schema.from_toml(f'name = "n"\n{FEATURE}{tasks}')


@pytest.mark.parametrize(
    ("task", "refused", "expected"),
    [
        (CLICK, [0.5, -1.0, 2.0, np.inf], "0 or 1"),
        (PLAIN, [], "a number"),
        (WATCH, [-0.1], "0 or above under log1p"),
        (STARS, [0.0, 0.2, 4.0], "one of levels = [0.1, 0.5, 3]"),
        (GENRE, [-1.0, 0.5, 3.0, np.inf, -np.inf], "a whole number from 0 to 2"),
        (PLAYS, [-1.0, -np.inf], "0 or above"),
    ],
    ids=["binary", "regression", "log1p", "ordinal", "multiclass", "count"],
)
def test_labels_of_another_kind_are_marked(task: Task, refused: list[float], expected: str) -> None:
    accepted = [0.1, 0.5, 3.0] if task is STARS else [0.0, 1.0]
    labels = np.array([*accepted, NAN, *refused], np.float32)
    marks = [False] * (len(accepted) + 1) + [True] * len(refused)
    assert task.refused(labels).tolist() == marks
    assert task.expected_labels == expected


@pytest.mark.parametrize(
    ("task", "key", "fault"),
    [
        ({"kind": "binary", "weight": 0.0}, "weight", "must be above 0 and finite, got 0.0"),
        ({"kind": "count", "weight": "inf"}, "weight", "must be above 0 and finite, got inf"),
        ({"kind": "count", "weight": "nan"}, "weight", "must be above 0 and finite, got nan"),
        ({"kind": "regression", "huber_delta": 0.0}, "huber_delta", "must be above 0 and finite, got 0.0"),
        ({"kind": "regression", "huber_delta": "inf"}, "huber_delta", "must be above 0 and finite, got inf"),
        ({"kind": "ordinal", "levels": []}, "levels", "must be at least 2 finite numbers in increasing order, got []"),
        (
            {"kind": "ordinal", "levels": [1.0]},
            "levels",
            "must be at least 2 finite numbers in increasing order, got [1.0]",
        ),
        (
            {"kind": "ordinal", "levels": [1.0, 1.0]},
            "levels",
            "must be at least 2 finite numbers in increasing order, got [1.0, 1.0]",
        ),
        (
            {"kind": "ordinal", "levels": "[2.0, inf]"},
            "levels",
            "must be at least 2 finite numbers in increasing order, got [2.0, inf]",
        ),
        (
            {"kind": "ordinal", "levels": [16777216.0, 16777217.0]},
            "levels",
            "must be at least 2 finite numbers in increasing order, got [16777216.0, 16777217.0]",
        ),
        ({"kind": "multiclass", "num_classes": 1}, "num_classes", "must be in [2, 10000], got 1"),
        ({"kind": "multiclass", "num_classes": 10001}, "num_classes", "must be in [2, 10000], got 10001"),
    ],
    ids=lambda value: f"{value}" if isinstance(value, dict) else "",
)
def test_value_out_of_range_is_refused(task: dict[str, Any], key: str, fault: str) -> None:
    lines = [f'{name} = "{value}"' if name == "kind" else f"{name} = {value}" for name, value in task.items()]
    text = f'name = "toy"\n{FEATURE}[[tasks]]\nname = "t"\nlabel = "y"\n' + "\n".join(lines)
    with pytest.raises(SchemaError, match=rf"^{re.escape(f'$.tasks[0].{key} {fault}')} \(task 't'\)$"):
        Schema.from_toml(text)


@pytest.mark.parametrize("num_classes", [2, MAX_CLASSES])
def test_classes_at_their_limits_are_accepted(num_classes: int) -> None:
    assert list(MulticlassTask(name="t", label="y", num_classes=num_classes).faults()) == []


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ('kind = "binary"\nlevels = [1.0, 2.0]', "$.tasks[0]: object contains unknown field levels"),
        ('kind = "ordinal"', "$.tasks[0]: object missing required field levels"),
        ('kind = "multiclass"', "$.tasks[0]: object missing required field num_classes"),
        ('kind = "regression"\nloss = "absolute"', "$.tasks[0].loss: invalid enum value 'absolute'"),
        ('kind = "ranking"', "$.tasks[0].kind: invalid value 'ranking'"),
    ],
)
def test_key_of_another_kind_is_refused(task: str, message: str) -> None:
    with pytest.raises(SchemaError, match=f"^{re.escape(message)}(; .*)?$"):
        Schema.from_toml(f'name = "toy"\n{FEATURE}[[tasks]]\nname = "t"\nlabel = "y"\n{task}')
