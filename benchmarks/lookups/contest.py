"""One table and its batches: functions of polyrank.embedding_rows, and a whole step, beside PyTorch and fbgemm."""

import numpy as np
from contests.measure import Contest, Scale, Target

from polyrank.embedding_rows import coalesce_rows, empty_table, gather_rows, update_rowwise_adagrad

from .batches import Work, draw_work
from .fbgemm import FBGEMM, fbgemm_step
from .pytorch import EPSILON, LR, pytorch_calls

DIM = 16
PARTS = {"lookup": 1.0, "sums over equal rows": 3.0, "update of unique rows": 3.0, "whole step": 3.0}
"""What is measured, and how many times as fast as PyTorch it should be."""


def one_table(scale: Scale, num_rows: int, batch: int) -> Contest:
    """Everything on one table: contenders share it, but for fbgemm, which owns its tables."""
    work = draw_work(min(num_rows, 2 * scale.keys), batch, DIM)
    table, sums = empty_table(work.num_rows, DIM), np.zeros(work.num_rows, np.float32)
    table[:] = 0.01
    ours, theirs = _our_calls(work, table, sums), pytorch_calls(work, table, sums)
    step, absent = fbgemm_step(work)
    name = f"{batch:,} of {work.num_rows:,} rows"
    targets = [
        Target(workload=f"{part}, {name}", text=f"≥ {least:g}x", against=_of("PyTorch", part), least=least, ours=part)
        for part, least in PARTS.items()
    ]
    return Contest(
        keys=batch,
        unit="rows",
        contenders=ours | {_of("PyTorch", part): call for part, call in theirs.items()} | step,
        targets=[
            *targets,
            Target(workload=f"whole step, {name}", text="≥ 1x", against=FBGEMM, least=1, ours="whole step"),
        ],
        absent=absent,
    )


def _of(who: str, part: str) -> str:
    return f"{who}'s {part}"


def _our_calls(work: Work, table: np.ndarray, sums: np.ndarray) -> dict[str, object]:
    rows, gradient, out = work.in_turns(np.ascontiguousarray), work.gradient, np.empty_like(work.gradient)
    coalesced = work.in_turns(lambda batch: coalesce_rows(batch, gradient))

    def step() -> None:
        batch = next(rows)
        gather_rows(table, batch, out)
        update_rowwise_adagrad(table, sums, *coalesce_rows(batch, gradient), lr=LR, epsilon=EPSILON)

    calls = (
        lambda: gather_rows(table, next(rows), out),
        lambda: coalesce_rows(next(rows), gradient),
        lambda: update_rowwise_adagrad(table, sums, *next(coalesced), lr=LR, epsilon=EPSILON),
        step,
    )
    return dict(zip(PARTS, calls, strict=True))
