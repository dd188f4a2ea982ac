"""How to check and to infer, given in Python: what is out of range, or something else, is refused by its name."""

from pathlib import Path
from typing import Any

import pytest
from toy import TOY_TOML

from polyrank.errors import ConfigError
from polyrank.inspection import CheckConfig, InferConfig, check, propose
from polyrank.schema import Schema


@pytest.mark.parametrize("config", [CheckConfig, InferConfig])
@pytest.mark.parametrize(
    ("name", "value", "limit"),
    [("sample_rows", 0, "[1, 2**63)"), ("sample_rows", 0.5, "[1, 2**63)"), ("seed", -1, "[0, 2**63)")],
)
def test_what_no_sample_can_be_drawn_with_is_refused(config: Any, name: str, value: float, limit: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(**{name: value})
    assert str(caught.value) == f"{name} must be an integer in {limit}, got {value}"


@pytest.mark.parametrize(
    ("name", "value", "limit"),
    [
        ("validation_share", 1, "in (0, 1)"),
        ("validation_share", "half", "in (0, 1)"),
        ("validation_hours", 0, "a number above 0 and finite"),
        ("validation_hours", float("inf"), "a number above 0 and finite"),
    ],
)
def test_part_that_none_can_be_is_refused(name: str, value: Any, limit: str) -> None:
    with pytest.raises(ConfigError) as caught:
        CheckConfig(**{name: value})
    assert str(caught.value) == f"{name} must be {limit}, got {value!r}"


def test_config_of_another_kind_is_refused() -> None:
    other: Any = {}
    with pytest.raises(ConfigError, match=r"^config must be a CheckConfig\(\.\.\.\), got dict$"):
        check(Schema.from_toml(TOY_TOML), Path("rows.parquet"), other)
    with pytest.raises(ConfigError, match=r"^config must be an InferConfig\(\.\.\.\), got dict$"):
        propose(Path("rows.parquet"), other)
