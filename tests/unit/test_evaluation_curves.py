"""Calibration curves, histograms and areas of groups against plain sums over rows."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from polyrank.evaluation.curves import calibration_curve, distribution, group_areas
from polyrank.metrics.observed import Observed
from polyrank.tasks import BinaryTask, MulticlassTask, RegressionTask

CLICK = BinaryTask(name="click", label="c")
WATCH = RegressionTask(name="watch", label="w")
GENRE = MulticlassTask(name="genre", label="g", num_classes=3)
NOTHING = Observed.of(np.zeros(0, np.float32), np.zeros(0, np.float32))


def rows(size: int = 400, *, seed: int = 0, groups: int | None = None) -> Observed:
    random = np.random.default_rng(seed)
    answers = random.random(size).astype(np.float32)
    labels = (random.random(size) < answers).astype(np.float32)
    return Observed.of(answers, labels, None, None if groups is None else random.integers(-1, groups, size))


def numbers(size: int = 400) -> Observed:
    random = np.random.default_rng(3)
    answers = random.normal(5, 2, size).astype(np.float32)
    return Observed.of(answers, answers + random.normal(size=size).astype(np.float32))


def parts(observed: Observed) -> list[NDArray[np.int64]]:
    return [np.asarray(part) for part in np.array_split(np.argsort(observed.answers), 10)]


def test_bins_hold_equally_many_rows() -> None:
    assert [each.rows for each in calibration_curve(CLICK, rows(), 0.95)] == [40] * 10


def test_bins_have_mean_answer_and_mean_label() -> None:
    observed = rows()
    found = calibration_curve(CLICK, observed, 0.95)
    assert_allclose([each.answer for each in found], [observed.predicted[part].mean() for part in parts(observed)])
    assert_allclose([each.label for each in found], [observed.labels[part].mean() for part in parts(observed)])


def test_bins_are_in_the_order_of_answers() -> None:
    answers = [each.answer for each in calibration_curve(WATCH, numbers(), 0.95)]
    assert answers == sorted(answers)


def test_means_of_bins_are_weighted() -> None:
    answers, weights = np.full(4, 0.5, np.float32), np.array([1.0, 2.0, 3.0, 4.0])
    (found,) = calibration_curve(CLICK, Observed.of(answers, np.array([1, 0, 0, 1.0]), weights), 0.95)
    assert found.label == pytest.approx(0.5)


def test_interval_of_a_share_is_that_of_wilson() -> None:
    found = calibration_curve(CLICK, rows(), 0.9)[4]
    z, count = float(norm.ppf(0.95)), found.rows - 1  # a variance is over one less than there are
    for end in found.interval:
        assert (end - found.label) ** 2 == pytest.approx(z**2 * end * (1 - end) / count)


def test_interval_of_a_number_is_normal() -> None:
    observed = numbers()
    found = calibration_curve(WATCH, observed, 0.9)[4]
    error = observed.labels[parts(observed)[4]].std(ddof=1) / math.sqrt(found.rows)
    assert found.interval == pytest.approx(norm.interval(0.9, found.label, error))


def test_groups_that_agree_widen_the_interval() -> None:
    observed = rows()
    twice = Observed(*(np.repeat(column, 5) for column in (observed.answers, observed.labels, observed.weights)))
    grouped = Observed(twice.answers, twice.labels, twice.weights, np.repeat(np.arange(400), 5))
    low, high = calibration_curve(CLICK, twice, 0.95)[4].interval
    wide_low, wide_high = calibration_curve(CLICK, grouped, 0.95)[4].interval
    assert wide_high - wide_low > 2 * (high - low)


def test_bin_of_one_number_takes_the_deviation_of_all() -> None:
    observed = Observed.of(np.array([1, 2, 3], np.float32), np.array([1, 5, 9], np.float32))
    found = calibration_curve(WATCH, observed, 0.95)
    assert found[0].interval == pytest.approx(norm.interval(0.95, 1, np.std([1, 5, 9])))


def test_bin_of_one_group_has_a_wide_interval() -> None:
    observed = Observed.of(np.full(50, 0.5, np.float32), np.tile([0.0, 1.0], 25), groups=np.zeros(50, np.int64))
    low, high = calibration_curve(CLICK, observed, 0.95)[0].interval
    assert high - low > 0.7


def test_bin_of_one_label_rests_on_its_groups() -> None:
    zeros, groups = np.zeros(300, np.float32), np.arange(300) % 30
    grouped = calibration_curve(CLICK, Observed.of(zeros, zeros, groups=groups), 0.95)[0].interval
    assert grouped == pytest.approx(calibration_curve(CLICK, Observed.of(zeros[:30], zeros[:30]), 0.95)[0].interval)


def test_shares_that_weights_round_above_one_are_well() -> None:
    ones, random = np.ones(999, np.float32), np.random.default_rng(0)
    found = [calibration_curve(CLICK, Observed.of(ones, ones, random.random(999)), 0.95)[0] for _ in range(50)]
    assert any(each.label > 1 for each in found)
    assert_allclose([each.interval for each in found], [found[0].interval] * 50)


def test_equal_answers_are_one_bin() -> None:
    observed = Observed.of(np.full(30, 0.3, np.float32), np.tile([0, 1, 1], 10).astype(np.float32))
    assert [each.rows for each in calibration_curve(CLICK, observed, 0.95)] == [30]


@pytest.mark.parametrize(("task", "observed"), [(GENRE, rows()), (CLICK, NOTHING)], ids=["multiclass", "no rows"])
def test_curve_of_classes_or_nothing_is_empty(task: MulticlassTask, observed: Observed) -> None:
    assert calibration_curve(task, observed, 0.95) == ()


def test_histogram_counts_every_row_of_a_label() -> None:
    observed = rows()
    found = distribution(CLICK, observed)
    assert found is not None
    assert {name: sum(counts) for name, counts in found.series.items()} == {
        "0": int((observed.labels == 0).sum()),
        "1": int((observed.labels == 1).sum()),
    }


def test_histogram_counts_answers_between_edges() -> None:
    observed = rows()
    found = distribution(CLICK, observed)
    assert found is not None
    low, high = found.edges[7:9]
    within = (observed.predicted >= low) & (observed.predicted < high) & (observed.labels == 1)
    assert found.series["1"][7] == within.sum()


def test_few_answers_far_away_do_not_stretch_a_histogram() -> None:
    observed = numbers(5_000)
    observed.answers[0] = 1e6
    found = distribution(WATCH, observed)
    assert found is not None
    assert found.edges[-1] < 20
    assert sum(found.series["all"]) == 5_000


def test_histogram_of_classes_is_of_the_label_s_probability() -> None:
    random = np.random.default_rng(0)
    answers = random.dirichlet((1, 1, 1), 300)
    observed = Observed.of(answers, random.integers(0, 3, 300).astype(np.float32))
    found = distribution(GENRE, observed)
    assert found is not None
    own = answers[observed.labels == 2][:, 2].clip(found.edges[0], found.edges[-1])
    assert_array_equal(found.series["2"], np.histogram(own, found.edges)[0])


def test_many_classes_are_one_series() -> None:
    task = MulticlassTask(name="genre", label="g", num_classes=11)
    found = distribution(task, Observed.of(np.full((5, 11), 1 / 11), np.arange(5.0)))
    assert found is not None
    assert list(found.series) == ["all"]


@pytest.mark.parametrize("answer", [0.5, 0.0, -3.0, 1e30, -3e38])
def test_constant_answers_lie_within_their_histogram(answer: float) -> None:
    found = distribution(WATCH, Observed.of(np.full(9, answer, np.float32), np.zeros(9, np.float32)))
    assert found is not None
    assert found.edges[0] < answer < found.edges[-1]
    assert sum(found.series["all"]) == 9


def test_answers_that_hardly_differ_have_a_histogram() -> None:
    answers = np.array([0.5, np.nextafter(np.float32(0.5), np.float32(1))], np.float32)
    found = distribution(WATCH, Observed.of(np.tile(answers, 50), np.zeros(100, np.float32)))
    assert found is not None
    assert (found.series["all"][0], found.series["all"][-1]) == (50, 50)


def test_histogram_of_nothing_is_none() -> None:
    assert distribution(CLICK, NOTHING) is None


def areas_of(observed: Observed) -> list[float]:
    assert observed.groups is not None
    members = [observed.groups == group for group in sorted(set(observed.groups.tolist()) - {-1})]
    both = [chosen for chosen in members if 0 < observed.labels[chosen].mean() < 1]
    return [roc_auc_score(observed.labels[chosen], observed.answers[chosen]) for chosen in both]


def test_areas_of_groups_are_those_of_their_rows() -> None:
    observed = rows(groups=60)
    expected, found = areas_of(observed), group_areas(observed)
    assert found is not None
    assert (found.groups, found.skipped_groups) == (len(expected), 60 - len(expected))
    assert found.below_half == pytest.approx(np.mean(np.array(expected) < 0.5))
    assert_allclose(list(found.quantiles.values()), np.quantile(expected, [float(name) for name in found.quantiles]))


def test_random_scores_are_below_half_as_often_as_by_chance() -> None:
    random = np.random.default_rng(8)
    groups, labels = np.arange(30_000) % 6_000, (random.random(30_000) < 0.4).astype(np.float32)
    found = group_areas(Observed.of(random.random(30_000), labels, groups=groups))
    assert found is not None
    assert found.below_half_by_chance == pytest.approx(found.below_half, abs=0.02)
    assert found.below_half_by_chance < 0.45


def test_every_area_is_in_the_histogram() -> None:
    observed = rows(2_000, groups=700)
    weighed = Observed(observed.answers, observed.labels, np.random.default_rng(1).random(2_000) * 1e9, observed.groups)
    found = group_areas(weighed)
    assert found is not None
    assert sum(found.counts) == found.groups


def test_areas_of_perfect_groups_are_at_most_one() -> None:
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(300), 6)
    labels = np.tile([0, 1, 0, 1, 1, 0], 300).astype(np.float32)
    found = group_areas(Observed.of(labels, labels, random.random(1_800), groups))
    assert found is not None
    assert (found.quantiles["0.95"], found.counts[-1]) == (1.0, 300)


@pytest.mark.parametrize("groups", [np.zeros(3, np.int64), np.full(3, -1)], ids=["one class", "no group"])
def test_groups_of_one_class_have_no_areas(groups: NDArray[np.int64]) -> None:
    assert group_areas(Observed.of(np.arange(3.0), np.zeros(3), groups=groups)) is None
