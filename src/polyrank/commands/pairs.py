"""Values that are typed for names, as in `--weight click=0.5`."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from polyrank.errors import ConfigError

Value = TypeVar("Value")


def pairs(
    option: str, kind: str, form: str, words: Iterable[str], read: Callable[[str, str], Value]
) -> dict[str, Value]:
    """Read words.

    Args:
        option: where they were typed.
        kind: what they name, such as task.
        form: how they are typed, with an example.
        words: a name, an equals sign and a value each; the value holds no equals sign.
        read: makes a value of the name and its text.

    Raises:
        ConfigError: a word is of another form, its value is none, or a name is there twice.
    """
    values: dict[str, Value] = {}
    for word in words:
        name, _, text = word.rpartition("=")
        wrong = f"{option} must be {form}, got {word!r}"
        if not name:
            raise ConfigError(wrong)
        if name in values:
            raise ConfigError(f"{option} names {kind} {name!r} twice; name it once")
        try:
            values[name] = read(name, text)
        except ConfigError:
            raise
        except ValueError as err:
            raise ConfigError(wrong) from err
    return values


def task_weights(words: Iterable[str]) -> dict[str, float] | None:
    """Read `--weight`; None where there is none.

    Raises:
        ConfigError: as `pairs`.
    """
    return pairs("--weight", "task", "TASK=NUMBER, as in click=0.5", words, lambda _, text: float(text)) or None
