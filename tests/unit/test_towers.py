"""Towers and where their outputs start from."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from reference.networks import array, one_network
from scipy.special import expit

from polyrank.models import ModelConfig
from polyrank.models.heads import answer, split
from polyrank.models.towers import Baseline, Towers
from polyrank.tasks import BinaryTask, CountTask, MulticlassTask, OrdinalTask, RegressionTask, Task

CLICK = BinaryTask(name="click", label="is_click")
WATCH = RegressionTask(name="watch", label="watch_s")
STARS = OrdinalTask(name="stars", label="stars", levels=(1.0, 2.0, 3.0, 4.0, 5.0))
GENRE = MulticlassTask(name="genre", label="genre", num_classes=3)
TASKS = (CLICK, GENRE, STARS, WATCH)
WIDTHS = (1, 3, 1, 1)


@pytest.fixture(autouse=True)
def _same_weights_in_every_run() -> None:
    torch.manual_seed(0)


def config(architecture: str = "mmoe", **options: Any) -> ModelConfig:
    return ModelConfig(architecture=architecture, normalization="none", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("architecture", ["shared_bottom", "mmoe"])
@pytest.mark.parametrize("tower_dims", [(), (6,), (6, 2)])
def test_tower_of_a_task_reads_its_own_representation(architecture: str, tower_dims: tuple[int, ...]) -> None:
    towers = Towers(TASKS, 4, config(architecture, tower_dims=tower_dims)).double()
    rows = torch.randn(5, 4, 4, dtype=torch.float64)
    rows = rows[:, :1].expand(-1, 4, -1) if architecture == "shared_bottom" else rows
    own = [rows[:, task].numpy() for task in range(4)]
    if towers.hidden is not None:
        own = [one_network(towers.hidden, task, part) for task, part in enumerate(own)]
    weights = np.split(array(towers.output.weight), np.cumsum(WIDTHS)[:-1])
    expected = np.concatenate([part @ weight.T for part, weight in zip(own, weights, strict=True)], axis=1)
    found = towers(rows[:, 0] if architecture == "shared_bottom" else rows)
    assert_allclose(array(found), expected, rtol=1e-10, atol=1e-14)


def test_towers_of_single_outputs_read_their_own() -> None:
    towers = Towers((CLICK, WATCH), 4, config(tower_dims=())).double()
    rows = torch.randn(5, 2, 4, dtype=torch.float64)
    weight = array(towers.output.weight)
    expected = np.stack([rows[:, task].numpy() @ weight[task] for task in (0, 1)], axis=1)
    assert_allclose(array(towers(rows)), expected, rtol=1e-10)


def test_many_classes_take_no_more_memory_than_their_logits() -> None:
    genre = MulticlassTask(name="genre", label="genre", num_classes=10_000)
    towers, rows = Towers((CLICK, genre), 64, config(tower_dims=())), torch.randn(512, 2, 64)
    with torch.profiler.profile(profile_memory=True) as profile:
        towers(rows)
    largest = max(event.self_cpu_memory_usage for event in profile.key_averages())
    assert largest < 3 * 512 * 10_001 * 4


def test_bias_is_added_to_each_output() -> None:
    baseline = Baseline((CLICK, GENRE, WATCH))
    baseline.bias.data.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert baseline(torch.ones(2, 5)).tolist() == [[2.0, 3.0, 4.0, 5.0, 6.0]] * 2


def test_logits_of_levels_are_thresholds_below_the_output() -> None:
    baseline = Baseline((CLICK, STARS)).double()
    baseline.bias.data.copy_(torch.tensor([0.5, 0.25]))
    baseline.steps["task_1"].data.copy_(torch.tensor([-1.0, 0.0, 40.0]))
    steps = np.cumsum([0.0, np.log1p(np.exp(-1.0)), np.log(2.0), 40.0])
    assert_allclose(array(baseline(torch.tensor([[1.0, 2.0]])))[0], [1.5, *(2.25 - steps)], rtol=1e-12)


def test_two_levels_have_one_logit_and_no_step() -> None:
    baseline = Baseline((OrdinalTask(name="up", label="up", levels=(0.0, 1.0)),))
    assert [name for name, _ in baseline.named_parameters()] == ["bias"]
    assert baseline(torch.tensor([[3.0]])).tolist() == [[3.0]]


def test_start_is_what_rows_without_outputs_have() -> None:
    baseline = Baseline(TASKS)
    wanted = [[-5.0], [0.1, -2.0, 0.3], [3.0, 1.0, 0.5, -8.0], [3600.0]]
    baseline.start_at([torch.tensor(logits) for logits in wanted])
    found = split(TASKS, baseline(torch.zeros(1, 6)))
    assert_allclose(np.concatenate([array(part)[0] for part in found]), np.concatenate(wanted), rtol=1e-5)


def test_start_keeps_levels_apart_that_have_no_label() -> None:
    baseline = Baseline((STARS,))
    baseline.start_at([torch.tensor([0.0, 0.0, -1e-9, -1.0])])
    steps = -baseline(torch.zeros(1, 1)).diff()[0]
    assert_allclose(array(steps), [1e-3, 1e-3, 1.0 - 1e-9], rtol=1e-3)


def test_start_of_every_kind_is_the_base_rate() -> None:
    tasks: tuple[Task, ...] = (CLICK, STARS, GENRE, CountTask(name="plays", label="plays"))
    above = [0.9, 0.6, 0.5, 0.1]
    baseline = Baseline(tasks).double()
    logits = [np.log([0.2 / 0.8]), np.log(above) - np.log1p(-np.array(above)), np.log([0.5, 0.2, 0.3]), np.log([7.0])]
    baseline.start_at([torch.from_numpy(part) for part in logits])
    parts = split(tasks, baseline(torch.zeros(1, 6, dtype=torch.float64)))
    answers = [array(answer(task, part))[0].tolist() for task, part in zip(tasks, parts, strict=True)]
    expected = [[expit(logits[0][0])], [1.0 + sum(above)], [0.5, 0.2, 0.3], [7.0]]
    assert_allclose(np.concatenate(answers), np.concatenate(expected), rtol=1e-6)
