"""The shape of a model: ranges, and what goes with what."""

import re
from typing import Any

import msgspec
import pytest

from polyrank.errors import ConfigError
from polyrank.features import NumericFeature
from polyrank.models import ModelConfig
from polyrank.models.config import ARCHITECTURES
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, RegressionTask, Task

CLICK = BinaryTask(name="click", label="is_click")
CART = BinaryTask(name="cart", label="is_cart", when="is_click")
BUY = BinaryTask(name="buy", label="is_bought", when="is_cart")
WATCH = RegressionTask(name="watch", label="watch_s")
NAN = float("nan")


def schema_of(*tasks: Task) -> Schema:
    return Schema(name="toy", features=(NumericFeature(name="x"),), tasks=tasks).resolved()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_dims": ()}, "$.model.hidden_dims must hold at least one width, got none"),
        ({"hidden_dims": (8, 0)}, "$.model.hidden_dims[1] must be in [1, 65536], got 0"),
        ({"tower_dims": (65537,)}, "$.model.tower_dims[0] must be in [1, 65536], got 65537"),
        ({"dropout": 1.0}, "$.model.dropout must be in [0, 1), got 1.0"),
        ({"dropout": -0.1}, "$.model.dropout must be in [0, 1), got -0.1"),
        ({"dropout": NAN}, "$.model.dropout must be in [0, 1), got nan"),
        ({"num_experts": 0}, "$.model.num_experts must be in [1, 1024], got 0"),
        ({"num_task_experts": 1025}, "$.model.num_task_experts must be in [1, 1024], got 1025"),
        ({"num_extraction_layers": 0}, "$.model.num_extraction_layers must be in [1, 1024], got 0"),
        ({"cross_layers": 0}, "$.model.cross_layers must be in [1, 1024], got 0"),
        ({"cross_rank": -1}, "$.model.cross_rank must be in [1, 1024], got -1"),
        ({"calibrator": -0.1}, "$.model.calibrator must be 0 or above and finite, got -0.1"),
        ({"calibrator": float("inf")}, "$.model.calibrator must be 0 or above and finite, got inf"),
        ({"calibrator": NAN}, "$.model.calibrator must be 0 or above and finite, got nan"),
        (
            {"interaction": "fm", "architecture": "mmoe"},
            "$.model.interaction = 'fm' has no layers; it goes with architecture = 'shared_bottom', got 'mmoe'",
        ),
        (
            {"chain": ("click", "buy")},
            "$.model.chain goes with architecture = 'esmm' or 'aitm', got 'shared_bottom'",
        ),
    ],
)
def test_wrong_shape_of_a_model_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        ModelConfig(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"architecture": "wide_and_deep"}, "Invalid enum value 'wide_and_deep' - at `$.architecture`"),
        ({"interaction": "cross"}, "Invalid enum value 'cross' - at `$.interaction`"),
        ({"normalization": "group"}, "Invalid enum value 'group' - at `$.normalization`"),
        ({"experts": 3}, "Object contains unknown field `experts`"),
    ],
)
def test_unknown_name_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=f"^{re.escape(message)}$"):
        msgspec.convert(arguments, ModelConfig)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_architecture_is_read_by_name(architecture: str) -> None:
    assert msgspec.convert({"architecture": architecture}, ModelConfig).architecture == architecture


def chained(*tasks: Task, architecture: Any = "esmm", chain: tuple[str, ...] = ()) -> tuple[int, ...]:
    return ModelConfig(architecture=architecture, chain=chain).chained_tasks(schema_of(*tasks))


def test_chain_is_all_binary_tasks_in_order() -> None:
    assert chained(CLICK, WATCH, CART, BUY) == (0, 2, 3)


def test_chain_has_the_order_of_its_names() -> None:
    assert chained(BUY, WATCH, CART, CLICK, chain=("click", "cart", "buy")) == (3, 2, 0)


@pytest.mark.parametrize("architecture", ["single_task", "shared_bottom", "mmoe", "ple", "stem"])
def test_other_architectures_chain_nothing(architecture: str) -> None:
    assert chained(CLICK, CART, architecture=architecture) == ()


@pytest.mark.parametrize(
    ("tasks", "chain", "message"),
    [
        (
            (CLICK, CART),
            ("click", "carts"),
            "$.model.chain[1] must name a binary task, each once, got 'carts'; did you mean 'cart'?",
        ),
        ((CLICK, CART, WATCH), ("watch",), "$.model.chain[0] must name a binary task, each once, got 'watch'"),
        ((CLICK, CART), ("click", "click"), "$.model.chain[1] must name a binary task, each once, got 'click'"),
        (
            (CLICK, WATCH),
            (),
            (
                "architecture = 'esmm' needs at least 2 binary tasks that follow one another, got 1; name them in "
                "$.model.chain"
            ),
        ),
        (
            (CLICK, CART),
            ("click",),
            (
                "architecture = 'esmm' needs at least 2 binary tasks that follow one another, got 1; name them in "
                "$.model.chain"
            ),
        ),
        (
            (CLICK, BUY),
            (),
            (
                "$.model.chain[1]: task 'buy' has when = 'is_cart'; under architecture = 'esmm' it must be left out or "
                "be the label of the task before it, 'is_click'"
            ),
        ),
        (
            (CART, CLICK),
            (),
            "$.model.chain[0]: task 'cart' has when = 'is_click'; under architecture = 'esmm' it must be left out",
        ),
    ],
    ids=["unknown", "not binary", "twice", "too few in the schema", "too few named", "other condition", "first"],
)
def test_chain_that_does_not_fit_is_refused(tasks: tuple[Task, ...], chain: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        chained(*tasks, chain=chain)
