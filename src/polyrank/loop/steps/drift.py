"""Drift: the new rows beside those of the last training."""

import msgspec

from polyrank.drift import DriftOptions, compare, drift_lines, drift_summary
from polyrank.loop.cycles import Cycle, History
from polyrank.loop.findings import DriftFound, RowsFound, TrainFound
from polyrank.schema import Schema

from .protocol import Done
from .rows import NEW

DRIFT_FILE = "drift.json"


class DriftStep:
    """Compares, and ends the cycle where settings say so."""

    name = "drift"

    def run(self, cycle: Cycle, history: History) -> Done:
        """Compare features, and the labels that are due in all new rows."""
        last = history.last_with(TrainFound)
        if last is None or not last.rows.is_dir():
            reason = (
                "no earlier training to compare with" if last is None else f"the rows of cycle {last.number} are gone"
            )
            return Done(DriftFound(outcome="not compared", reason=reason))
        settings = cycle.loop.settings.drift
        schema, left_out = _due(cycle)
        new, out = cycle.rows / NEW, cycle.folder / DRIFT_FILE
        result = compare(schema, last.rows, new, DriftOptions(limits=settings.limits()))
        result.save(out)
        stops = bool(result.drifted) and settings.action == "stop"
        found = DriftFound(
            outcome="stopped" if stops else "warned" if result.drifted else "passed",
            reason=drift_summary(result),
            ends=stops,
            reference=last.number,
            moved=tuple(drift_lines(result)),
            not_compared=tuple(dict.fromkeys((*left_out, *result.not_compared))),
        )
        return Done(found, (last.rows, new), (out,))


def _due(cycle: Cycle) -> tuple[Schema, list[str]]:
    """Return the schema with the tasks whose labels are due in all new rows, and the names of the others.

    A label that is yet to come would count as one that went missing.
    """
    schema, windows = cycle.loop.schema, cycle.found(RowsFound).windows_s
    shortest = min(windows.values())
    tasks = tuple(task for task in schema.tasks if windows[task.name] == shortest)
    left_out = [task.name for task in schema.tasks if task not in tasks]
    return msgspec.structs.replace(schema, tasks=tasks), left_out
