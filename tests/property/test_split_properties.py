"""Every split is a partition that its seed decides, and keeps what it promises."""

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import assume, given
from hypothesis import strategies as st

from polyrank.errors import DataError
from polyrank.features import NumericFeature
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask
from polyrank.train.config_sections import ValidationConfig
from polyrank.train.splits import SplitKeys, held_out

SCHEMA = Schema(
    name="toy",
    features=(NumericFeature(name="x"),),
    tasks=(BinaryTask(name="click", label="is_click"),),
    time="at",
    group="user",
)
shares = st.floats(0.05, 0.95)
seeds = st.integers(0, 2**32)
users = st.lists(st.integers(-3, 9), min_size=4, max_size=60)


def split(columns: dict[str, list[Any]], seed: int = 0, **config: Any) -> tuple[list[int], list[int]]:
    arrays = {name: pa.array(values) for name, values in columns.items()}
    count = len(next(iter(columns.values())))
    validation = ValidationConfig(**config)
    try:
        keys = SplitKeys(SCHEMA, validation).read(arrays)
        validates = held_out(SCHEMA, validation, keys, count, np.random.default_rng(seed))
    except DataError as err:
        assume("the split leaves" not in str(err))
        raise
    assert len(validates) == count
    return np.flatnonzero(~validates).tolist(), np.flatnonzero(validates).tolist()


@given(users, shares, seeds)
def test_group_split_never_shares_a_group(groups: list[int], share: float, seed: int) -> None:
    train, validation = split({"user": groups}, seed, split="group", share=share)
    assert not {groups[row] for row in train} & {groups[row] for row in validation}


@given(users, shares, seeds)
def test_group_split_stops_at_its_share(groups: list[int], share: float, seed: int) -> None:
    _, validation = split({"user": groups}, seed, split="group", share=share)
    largest = max(groups.count(group) for group in groups)
    assert abs(len(validation) - share * len(groups)) <= largest + 0.5


@given(users, shares, seeds, st.randoms(use_true_random=False))
def test_group_split_does_not_depend_on_the_order_of_rows(
    groups: list[int], share: float, seed: int, random: Any
) -> None:
    mixed = random.sample(groups, len(groups))
    _, validation = split({"user": groups}, seed, split="group", share=share)
    _, again = split({"user": mixed}, seed, split="group", share=share)
    assert {groups[row] for row in validation} == {mixed[row] for row in again}


@given(users, shares, seeds)
def test_group_is_one_value_however_it_arrives(groups: list[int], share: float, seed: int) -> None:
    integers = split({"user": groups}, seed, split="group", share=share)
    assert split({"user": [str(group) for group in groups]}, seed, split="group", share=share) == integers


@given(st.integers(4, 200), shares, seeds)
def test_random_split_takes_its_share_of_rows(count: int, share: float, seed: int) -> None:
    _, validation = split({"user": [1] * count}, seed, split="random", share=share)
    assert len(validation) == max(1, round(share * count))


@given(users, shares, seeds)
def test_seed_decides_a_split(groups: list[int], share: float, seed: int) -> None:
    for kind in ("group", "random"):
        first, second = (split({"user": groups}, seed, split=kind, share=share) for _ in range(2))
        assert first == second


@given(st.lists(st.integers(0, 50), min_size=4, max_size=60), shares)
def test_time_split_trains_on_nothing_newer_than_it_validates_on(moments: list[int], share: float) -> None:
    train, validation = split({"at": moments}, split="time", share=share)
    assert max(moments[row] for row in train) < min(moments[row] for row in validation)


@given(st.lists(st.sampled_from(["train", "validation"]), min_size=4, max_size=60))
def test_column_split_is_what_the_column_says(sides: list[str]) -> None:
    train, validation = split({"side": sides}, column="side")
    assert {sides[row] for row in train} == {"train"}
    assert {sides[row] for row in validation} == {"validation"}
