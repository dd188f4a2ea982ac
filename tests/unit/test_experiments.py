"""Arms beside a baseline: differences beside independent formulas, and how sure they are."""

import math
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from joins import SHOP
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from scipy import stats
from simulated_clicks import arm_rows

from polyrank.errors import ConfigError, DataError
from polyrank.experiments import Comparison, Difference, compare, with_shares
from polyrank.experiments.testing import chi_square_tail, holm, sign_test, two_sided
from polyrank.tasks import MulticlassTask, RegressionTask

STARS = msgspec.structs.replace(SHOP, tasks=(RegressionTask(name="stars", label="stars"),))


def only(found: Comparison) -> Difference:
    ((difference,),) = (task.differences for task in found.tasks)
    return difference


def sums(rows: pa.Table, arm: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sum and the count of labels of each user of an arm."""
    chosen = (
        rows.filter(pa.compute.equal(rows["arm"], arm))
        .group_by("user_id")
        .aggregate([("stars", "sum"), ("stars", "count")])
    )
    return chosen["stars_sum"].to_numpy(), chosen["stars_count"].to_numpy().astype(float)


ROWS = arm_rows(np.random.default_rng(0), 600, lift=0.3)


def test_means_are_those_of_rows() -> None:
    found = compare(STARS, ROWS)
    for mean in found.tasks[0].means:
        of_arm = ROWS.filter(pa.compute.equal(ROWS["arm"], mean.arm))["stars"].to_numpy()
        assert mean.mean == pytest.approx(of_arm.mean(), rel=1e-6)
        assert (mean.users, mean.impressions) == (300, len(of_arm))


def test_the_error_is_that_of_a_ratio_of_sums() -> None:
    variance = 0.0
    for arm in ("control", "treatment"):
        total, count = sums(ROWS, arm)
        covariance = np.cov(total, count)  # of users, Deng et al. 2018, equation 4
        mean = total.sum() / count.sum()
        spread = covariance[0, 0] - 2 * mean * covariance[0, 1] + mean**2 * covariance[1, 1]
        variance += spread / count.mean() ** 2 / len(count)
    assert only(compare(STARS, ROWS)).error == pytest.approx(math.sqrt(variance), rel=1e-4)


def test_the_error_is_that_of_a_bootstrap_by_users() -> None:
    generator, drawn = np.random.default_rng(1), []
    both = [sums(ROWS, arm) for arm in ("treatment", "control")]
    for _ in range(1_000):
        means = []
        for total, count in both:
            chosen = generator.integers(0, len(total), len(total))
            means.append(total[chosen].sum() / count[chosen].sum())
        drawn.append((means[0] - means[1], means[0] / means[1] - 1))
    found = only(compare(STARS, ROWS))
    assert found.interval is not None
    assert found.relative_interval is not None
    errors = [(high - low) / (2 * 1.959964) for low, high in (found.interval, found.relative_interval)]
    assert_allclose(errors, np.std(drawn, axis=0), rtol=0.08)


def test_rows_of_a_user_are_not_taken_for_independent() -> None:
    treated, control = (
        ROWS.filter(pa.compute.equal(ROWS["arm"], arm))["stars"].to_numpy() for arm in ("treatment", "control")
    )
    naive = math.sqrt(treated.var() / len(treated) + control.var() / len(control))
    assert (only(compare(STARS, ROWS)).error or 0) > 1.3 * naive


def test_arms_that_are_alike_differ_as_often_as_chance_says() -> None:
    values = [only(compare(STARS, arm_rows(np.random.default_rng(seed), 300))).p_value for seed in range(200)]
    found = np.array(values, float)
    assert 0.02 <= np.mean(found < 0.05) <= 0.09
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_a_difference_is_within_its_interval_as_often_as_it_says() -> None:
    held = []
    for seed in range(200):
        found = only(compare(STARS, arm_rows(np.random.default_rng(seed), 300, lift=0.5), confidence=0.9))
        assert found.interval is not None
        held.append(found.interval[0] <= 0.5 <= found.interval[1])
    assert 0.85 <= np.mean(held) <= 0.95


def test_a_detectable_difference_is_found_in_four_cases_of_five() -> None:
    size = only(compare(STARS, ROWS)).detectable
    assert size is not None
    found = [only(compare(STARS, arm_rows(np.random.default_rng(seed), 600, lift=size))).p_value for seed in range(100)]
    assert 0.68 <= np.mean(np.array(found, float) < 0.05) <= 0.92


def test_a_difference_of_half_the_size_takes_four_times_the_users() -> None:
    found = compare(STARS, ROWS)
    size = only(found).detectable
    assert size is not None
    assert found.users_for(only(found), size / 2) == 4 * 600


def test_a_user_of_both_arms_is_one_user() -> None:
    """Each user sees both arms, so that what a user likes adds nothing to the error of a difference."""
    rows = arm_rows(np.random.default_rng(0), 400, noise=3.0)
    mixed = rows.set_column(1, "arm", pa.array(np.where(np.arange(rows.num_rows) % 2 == 0, "a", "b")))
    found = compare(STARS, mixed)
    apart = compare(STARS, mixed.set_column(0, "user_id", pa.array(np.arange(rows.num_rows))))
    assert found.shared_users > 300
    assert (only(found).error or 0) < 0.5 * (only(apart).error or 0)


def test_rows_without_an_arm_are_left_out() -> None:
    outside = ROWS.set_column(1, "arm", pa.array([None] * ROWS.num_rows, pa.string()))
    found = compare(STARS, pa.concat_tables([ROWS, outside]))
    assert found.outside == ROWS.num_rows
    assert found.tasks == compare(STARS, ROWS).tasks


def test_rows_without_a_user_are_each_by_themselves() -> None:
    rows = ROWS.set_column(0, "user_id", pa.array([None] * ROWS.num_rows, pa.int64()))
    assert sum(arm.users for arm in compare(STARS, rows).arms) == ROWS.num_rows


def test_labels_that_are_not_observed_do_not_count() -> None:
    masked = ROWS.set_column(2, "stars", pa.array([None] * ROWS.num_rows, pa.float64()))
    assert compare(STARS, pa.concat_tables([ROWS, masked])).tasks == compare(STARS, ROWS).tasks


def test_an_arm_without_labels_has_no_mean() -> None:
    rows = pa.table({"user_id": [1, 2, 3], "arm": ["a", "a", "b"], "stars": [1.0, 2.0, None]})
    found = compare(STARS, rows)
    assert (found.tasks[0].means[1].mean, only(found).absolute, only(found).p_value) == (None, None, None)


def test_a_single_user_tells_nothing_of_others() -> None:
    rows = pa.table({"user_id": [1, 2, 3], "arm": ["a", "a", "b"], "stars": [1.0, 2.0, 4.0]})
    found = only(compare(STARS, rows))
    assert (found.absolute, found.relative, found.interval, found.p_value) == (2.5, 2.5 / 1.5, None, None)
    assert compare(STARS, rows).users_for(found, 1.0) is None


def test_few_users_who_are_all_alike_tell_nothing_of_others() -> None:
    many, random = 1_000, np.random.default_rng(0)
    rows = pa.table(
        {
            "user_id": [*range(many), 5_001, 5_002],
            "arm": ["a"] * many + ["b"] * 2,
            "stars": [*random.normal(size=many), 1.0, 1.0],
        }
    )
    found = only(compare(STARS, rows))
    assert (found.interval, found.p_value) == (None, None)


def test_a_share_of_almost_nothing_has_no_interval() -> None:
    rows = arm_rows(np.random.default_rng(0), 50)
    centred = rows.set_column(2, "stars", pa.array(rows["stars"].to_numpy() - rows["stars"].to_numpy().mean()))
    assert only(compare(STARS, centred)).relative_interval is None


def test_the_baseline_is_control_or_the_first_in_order() -> None:
    def baseline(*arms: str) -> str:
        return compare(STARS, pa.table({"user_id": range(len(arms)), "arm": arms, "stars": [1.0] * len(arms)})).baseline

    assert [baseline("b", "control", "a"), baseline("b", "a"), baseline("10", "9")] == ["control", "a", "9"]


def test_arms_are_those_of_rows_and_not_of_a_dictionary() -> None:
    names = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0, 1, 3]), pa.array(["a", "b", "gone", None]))
    found = compare(STARS, pa.table({"user_id": [1, 2, 3, 4, 5], "arm": names, "stars": [1.0, 2, 3, 4, 5]}))
    assert [(arm.name, arm.users) for arm in found.arms] == [("a", 2), ("b", 2)]
    assert found.outside == 1


def test_a_number_that_is_none_is_no_arm() -> None:
    rows = pa.table({"user_id": [1, 2, 3], "arm": [1.0, 2.0, math.nan], "stars": [1.0, 2, 3]})
    assert [arm.name for arm in compare(STARS, rows).arms] == ["1.0", "2.0"]


def test_a_column_that_is_none_of_arms_is_refused() -> None:
    rows = pa.table({"user_id": range(101), "stars": np.zeros(101)})
    with pytest.raises(ConfigError, match="by must be a column of arms, of 100 at most, got 'user_id' with 101 values"):
        compare(STARS, rows, by="user_id")


def test_a_baseline_that_is_no_text_is_refused() -> None:
    with pytest.raises(ConfigError, match="baseline must be the name of an arm, got 1"):
        compare(STARS, ROWS, baseline=1)  # type: ignore[arg-type]


def test_shares_that_are_no_mapping_are_refused() -> None:
    with pytest.raises(ConfigError, match="shares must be a mapping of numbers by arm, got list"):
        with_shares(compare(STARS, ROWS), [1, 1])  # type: ignore[arg-type]


def test_versions_are_compared_as_arms_are() -> None:
    rows = ROWS.append_column("version", pa.array(np.where(ROWS["user_id"].to_numpy() % 2 == 1, 10, 9)))
    found = compare(STARS, rows, by="version")
    assert [arm.name for arm in found.arms] == ["9", "10"]
    assert only(found).absolute == only(compare(STARS, ROWS)).absolute


def test_classes_have_no_mean_to_compare() -> None:
    schema = msgspec.structs.replace(
        STARS, tasks=(*STARS.tasks, MulticlassTask(name="kind", label="kind", num_classes=3))
    )
    assert compare(schema, ROWS).not_compared == ("kind",)


def test_adjusted_values_hold_for_all_arms_together() -> None:
    third = arm_rows(np.random.default_rng(5), 300)
    others = third.set_column(1, "arm", pa.array(np.where(third["arm"].to_numpy() == "control", "x", "y")))
    found = compare(
        STARS, pa.concat_tables([ROWS, others.set_column(0, "user_id", pa.compute.add(third["user_id"], 1_000))])
    )
    values = [each.p_value or 0.0 for each in found.tasks[0].differences]
    assert [each.adjusted_p for each in found.tasks[0].differences] == pytest.approx(holm(values))


def test_holm_is_the_textbooks() -> None:
    assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 7, 10])
def test_chi_square_is_that_of_scipy(degrees: int) -> None:
    for value in (0.0, 0.3, 2.0, 11.0, 80.0):
        assert chi_square_tail(value, degrees) == pytest.approx(stats.chi2.sf(value, degrees), rel=1e-10)


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (1, 0), (3, 9), (50, 50), (700, 650), (100_000, 100_900)])
def test_the_sign_test_is_that_of_scipy(wins: int, losses: int) -> None:
    expected = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert sign_test(wins, losses) == pytest.approx(expected, rel=1e-6)


def test_two_sided_values_are_those_of_scipy() -> None:
    assert two_sided(-1.3, 0.5) == pytest.approx(2 * stats.norm.sf(2.6))
    assert (two_sided(0.0, 0.0), two_sided(1.0, 0.0)) == (1.0, 0.0)


def test_users_as_intended_are_no_mismatch() -> None:
    found = with_shares(compare(STARS, ROWS), {"control": 1, "treatment": 1}).ratio
    assert found is not None
    assert (found.p_value, found.is_mismatch, found.shares) == (1.0, False, {"control": 0.5, "treatment": 0.5})


def test_lost_users_are_a_mismatch() -> None:
    found = with_shares(compare(STARS, ROWS), {"control": 3, "treatment": 2}).ratio
    assert found is not None
    assert found.p_value == pytest.approx(stats.chisquare([300, 300], [360, 240]).pvalue)
    assert found.is_mismatch


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    found = with_shares(compare(STARS, ROWS), {"control": 1, "treatment": 1})
    found.save(tmp_path / "ab.json")
    assert Comparison.load(tmp_path / "ab.json") == found


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"control": 1.0}, "shares must be of the arms control, treatment, got control"),
        ({"control": 1.0, "treatment": 0.0}, r"shares\['treatment'\] must be above 0 and finite, got 0.0"),
    ],
)
def test_shares_of_other_arms_are_refused(shares: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        with_shares(compare(STARS, ROWS), shares)


def test_a_size_of_nothing_is_refused() -> None:
    found = compare(STARS, ROWS)
    with pytest.raises(ConfigError, match="size must be above 0 and finite, got 0"):
        found.users_for(only(found), 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"confidence": 1.5}, r"confidence must be in \(0, 1\), got 1.5"),
        (
            {"baseline": "contrl"},
            "baseline must be an arm, got 'contrl'; 'arm' holds 'control', 'treatment'; did you mean",
        ),
    ],
)
def test_wrong_arguments_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        compare(STARS, ROWS, **options)  # type: ignore[arg-type]


def test_a_baseline_among_no_arms_is_refused() -> None:
    rows = ROWS.set_column(1, "arm", pa.array([None] * ROWS.num_rows, pa.string()))
    with pytest.raises(ConfigError, match="baseline must be an arm, got 'a'; 'arm' is null in every row"):
        compare(STARS, rows, baseline="a")


@pytest.mark.parametrize(("arm", "held"), [("a", "only 'a'"), (None, "no value")])
def test_a_single_arm_is_refused(arm: str | None, held: str) -> None:
    rows = pa.table({"user_id": [1], "arm": pa.array([arm], pa.string()), "stars": [1.0]})
    with pytest.raises(DataError, match=f"column 'arm' holds {held}; two arms or more are needed to compare"):
        compare(STARS, rows)


def test_a_column_of_lists_names_no_arms() -> None:
    rows = pa.table({"user_id": [1, 2], "arm": [["a"], ["b"]], "stars": [1.0, 2.0]})
    with pytest.raises(
        DataError, match=r"^column 'arm' holds list<.*>; one value a row expected, as names of arms are$"
    ):
        compare(STARS, rows)


def test_users_must_be_known() -> None:
    schema = msgspec.structs.replace(STARS, features=STARS.features[1:], group=None)
    with pytest.raises(ConfigError, match="user must be named, since the schema has no group"):
        compare(schema, ROWS)


def test_a_schema_of_classes_alone_is_refused() -> None:
    schema = msgspec.structs.replace(STARS, tasks=(MulticlassTask(name="kind", label="kind", num_classes=3),))
    with pytest.raises(ConfigError, match="schema must have a task that is not multiclass"):
        compare(schema, ROWS)
