"""What a training step costs under each way of balancing losses, as a multiple of fixed weights: docs/training.md.

python benchmarks/balancing.py          # a minute or two
python benchmarks/balancing.py --quick  # few rounds: that it runs, not how long it takes
"""

import argparse
import functools
from collections.abc import Callable

import torch
from contests import report
from contests.measure import Contest, cores, medians, pinned

from polyrank.features import CategoricalFeature
from polyrank.models import ModelConfig, MultiTaskRanker
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask
from polyrank.train import BalancingConfig, TrainConfig
from polyrank.train.balancing.config import METHODS, Method
from polyrank.train.loop import Trainer
from polyrank.train.products import fast_products
from polyrank.train.shuffling import TrainingBatch

BATCH_SIZE = 1024
FEATURES = 8
NUM_TASKS = (2, 5)


def measure(num_tasks: int, architecture: str, rounds: int) -> dict[str, float]:
    """Return the seconds of processor time that a step takes, by method."""
    tasks = tuple(BinaryTask(name=f"task{index}", label=f"label{index}") for index in range(num_tasks))
    steps = {method: step_of(method, tasks, architecture) for method in METHODS}
    return medians(Contest(keys=BATCH_SIZE, contenders=steps, targets=()), rounds)


def step_of(method: Method, tasks: tuple[BinaryTask, ...], architecture: str) -> Callable[[], object]:
    """Make a call that takes a step, each with a model of its own."""
    torch.manual_seed(0)
    features = tuple(
        CategoricalFeature(name=f"id{index}", dtype="int64", num_buckets=10_000, embedding_dim=16)
        for index in range(FEATURES)
    )
    schema = Schema(name="bench", features=features, tasks=tasks).resolved()
    model = MultiTaskRanker(schema, ModelConfig(architecture=architecture)).train()  # type: ignore[arg-type]
    config = TrainConfig(epochs=3, batch_size=BATCH_SIZE, balancing=BalancingConfig(method=method))
    trainer = Trainer(model, config, num_steps=1_000_000)
    ids = torch.randint(2**62, (BATCH_SIZE, FEATURES))
    labels = (torch.rand(BATCH_SIZE, len(tasks)) < 0.3).float()  # noqa: PLR2004 (a share of ones)
    batch = TrainingBatch(ids, torch.empty(BATCH_SIZE, 0), labels, None, None)
    return functools.partial(trainer.step, batch)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few rounds")
    parser.add_argument("--architecture", default="shared_bottom")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with pinned(cores()[0]), fast_products():
        columns = [measure(count, arguments.architecture, 3 if arguments.quick else 25) for count in NUM_TASKS]
    lines = [["method", *(f"{count} tasks" for count in NUM_TASKS), *(f"a step of {count}" for count in NUM_TASKS)]]
    for method in METHODS:
        multiples = [f"{times[method] / times['fixed']:.2f}" for times in columns]
        lines.append([f"`{method}`", *multiples, *(f"{times[method] * 1e3:.1f} ms" for times in columns)])
    print(report.markdown(lines))


if __name__ == "__main__":
    main()
