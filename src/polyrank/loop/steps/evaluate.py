"""Evaluate: the new run beside the live version, on the newest rows, which neither has learned from."""

import msgspec
import numpy as np
import pyarrow as pa

from polyrank.answering import answerer
from polyrank.evaluation.answered import Answerer
from polyrank.evaluation.asking import asked
from polyrank.files import Wanted, read_table
from polyrank.labels import groups, label_matrix, sample_weights
from polyrank.loop.cutting import Cut
from polyrank.loop.cycles import GRAPH_FILE, Cycle, History
from polyrank.loop.findings import EvaluateFound, RowsFound, TaskGate
from polyrank.loop.gating import HeldOut, first_gates, gates
from polyrank.loop.live import folder_of, live_version
from polyrank.loop.settings import Loop
from polyrank.metrics.comparison import Answers
from polyrank.rows import columns_of
from polyrank.tasks import Task

from .protocol import Done


class EvaluateStep:
    """Judges, and ends the cycle where the run is not shown to be as good."""

    name = "evaluate"

    def run(self, cycle: Cycle, history: History) -> Done:  # noqa: ARG002 (that of every step)
        """Have both answer the hold-out, and compare their metrics."""
        loop, settings = cycle.loop, cycle.loop.settings.evaluate
        rows, held = _held_out(cycle)
        live = live_version(loop)
        new = _answers(str(cycle.run), rows)[1]
        if live is None:
            tasks = first_gates(held, loop.judged_tasks, new, settings)
            return Done(_found(loop, tasks, len(rows), None), (cycle.rows, cycle.weights))
        folder = folder_of(loop, live.version)
        known, old = _answers(str(folder), rows)
        tasks = _compared(held, loop.judged_tasks, known, (old, new), loop)
        return Done(
            _found(loop, tasks, len(rows), (live.version, live.run_id)),
            (cycle.rows, cycle.weights, folder / GRAPH_FILE),
        )


def _held_out(cycle: Cycle) -> tuple[pa.Table, HeldOut]:
    """Read the rows of the hold-out, and what they are measured by."""
    loop = cycle.loop
    rows = read_table(cycle.rows, Wanted())
    judged = Cut.of(loop.schema, cycle.found(RowsFound)).judged(rows)
    chosen = np.asarray(judged.any(axis=1), bool)
    rows = rows.filter(pa.array(chosen))
    columns = columns_of(rows, rows.column_names)
    labels = label_matrix(loop.schema, columns)
    labels[~judged[chosen]] = np.nan
    group = loop.schema.group
    members = None if group is None else groups(columns[group], group)
    return rows, HeldOut(loop.schema, labels, members, sample_weights(loop.schema, columns))


def _answers(model: str, rows: pa.Table) -> tuple[Answerer, Answers]:
    with answerer(model) as found:
        return found, asked(found.answer, rows) if len(rows) else {
            task.name: np.empty((0, task.num_answers) if task.num_answers > 1 else 0, np.float32)
            for task in found.schema.tasks
        }


def _compared(
    held: HeldOut, tasks: tuple[Task, ...], live: Answerer, answers: tuple[Answers, Answers], loop: Loop
) -> tuple[TaskGate, ...]:
    """Judge the tasks that the live version has too."""
    common = [task for task in held.schema.tasks if task.name in answers[0]]
    places = [held.schema.tasks.index(task) for task in common]
    shared = HeldOut(
        msgspec.structs.replace(held.schema, tasks=tuple(common)), held.labels[:, places], held.groups, held.weights
    )
    settings = loop.settings.evaluate
    both = [task for task in tasks if task in common]
    found = {gate.task: gate for gate in gates(shared, both, answers, settings)} if both else {}
    alone = first_gates(held, [task for task in tasks if task not in common], answers[1], settings)
    reason = f"version {live.version}, which is live, has no such task"
    found |= {gate.task: msgspec.structs.replace(gate, reason=reason) for gate in alone}
    return tuple(found[task.name] for task in tasks)


def _found(loop: Loop, tasks: tuple[TaskGate, ...], rows: int, live: tuple[int, str | None] | None) -> EvaluateFound:
    failed = [gate for gate in tasks if gate.verdict == "failed"]
    passed = [gate.task for gate in tasks if gate.verdict == "passed"]
    ends = live is not None and (bool(failed) or not passed)
    if live is None:
        reason = "no version is live, so there is none to be compared with"
    elif failed:
        reason = "; ".join(f"{gate.task}: {gate.reason}" for gate in failed)
    elif passed:
        reason = (
            f"not worse than version {live[0]} by more than {loop.settings.evaluate.tolerance:g}: {', '.join(passed)}"
        )
    else:
        reason = "no task could be judged: " + "; ".join(f"{gate.task}: {gate.reason}" for gate in tasks)
    return EvaluateFound(
        outcome="failed" if ends else "passed",
        reason=reason,
        ends=ends,
        live_version=None if live is None else live[0],
        live_run_id=None if live is None else live[1],
        rows=rows,
        tasks=tasks,
    )
