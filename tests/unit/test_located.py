"""What is wrong in a TOML file, with what may stand there instead."""

from typing import Any

import msgspec
import pytest

from polyrank.located import located_message
from polyrank.schema import Schema
from polyrank.train import TrainConfig

FEATURE = 'name = "x"\n[[features]]\nname = "a"\nkind = "categorical"\ndtype = "int64"\n'
TASK = '[[tasks]]\nname = "c"\nkind = "binary"\nlabel = "l"\n'


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (TrainConfig, "epohcs = 3", "$: object contains unknown field epohcs; did you mean 'epochs'?"),
        (TrainConfig, "[zzz]", "$: object contains unknown field zzz"),
        (
            TrainConfig,
            "[rare_ids]\nshare = 1",
            "$.rare_ids: object contains unknown field share; there are dropout, min_count",
        ),
        (
            TrainConfig,
            'precision = "half"',
            "$.precision: invalid enum value 'half'; expected 'bfloat16' or 'float32'",
        ),
        (TrainConfig, 'epochs = "Auto"', "$.epochs: invalid enum value 'Auto'; expected a whole number or 'auto'"),
        (TrainConfig, "epochs = 1.5", "$.epochs: expected a whole number or 'auto', got float"),
        (TrainConfig, "compile = 1", "$.compile: expected true, false or 'auto', got int"),
        (Schema, TASK, "$: object missing required field name; write `name = ...` there"),
        (TrainConfig, "seed = 1.5", "$.seed: expected int, got float"),
        (
            Schema,
            FEATURE + "num_bucket = 3\n" + TASK,
            "$.features[0]: object contains unknown field num_bucket; did you mean 'num_buckets'?",
        ),
        (
            Schema,
            FEATURE + 'side = "usr"\n' + TASK,
            "$.features[0].side: invalid enum value 'usr'; expected 'context', 'item' or 'user'",
        ),
        (
            Schema,
            FEATURE + TASK.replace("binary", "binry"),
            (
                "$.tasks[0].kind: invalid value 'binry'; expected 'binary', 'regression', 'ordinal', 'multiclass' or "
                "'count'"
            ),
        ),
    ],
)
def test_message_says_what_may_stand_there(kind: Any, text: str, message: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.toml.decode(text, type=kind)
    assert located_message(caught.value, kind) == message
