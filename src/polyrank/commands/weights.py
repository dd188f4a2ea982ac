"""Weights of tasks, as they are typed: `click=1`."""

import argparse

from polyrank.errors import ConfigError


def task_weights(texts: list[str], parser: argparse.ArgumentParser) -> dict[str, float] | None:
    """Read the weights of tasks; None where there are none.

    Raises:
        ConfigError: a task is there twice.
    """
    weights: dict[str, float] = {}
    for text in texts:
        task, _, number = text.partition("=")
        if task in weights:
            raise ConfigError(f"--weight names task {task!r} twice; name it once")
        try:
            weights[task] = float(number)
        except ValueError:
            parser.error(f"--weight must be TASK=NUMBER, as in click=0.5, got {text!r}")
    return weights or None
