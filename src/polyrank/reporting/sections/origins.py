"""Where all of it comes from: configuration, schema, versions and machines."""

from collections.abc import Iterator, Mapping
from typing import Any

from polyrank.reporting.blocks import Block, Listing, Section, Table, Words
from polyrank.reporting.numerals import brief, distinct, rounded
from polyrank.reporting.sources import Run, Sources
from polyrank.tasks import kind_of


def configuration_section(sources: Sources) -> Section:
    """Lay out how each run was trained, and its schema."""
    if not sources.runs:
        nothing = Words("No run was given, and so no configuration: give a run directory too.")
        return Section("configuration", "Configuration and schema", (nothing,))
    blocks: list[Block] = [_configurations(sources.runs)]
    blocks += [_tasks(sources.runs[0])]
    blocks += [Listing(f"Schema of {brief(run.name)}", run.schema_text) for run in sources.runs]
    return Section("configuration", "Configuration and schema", tuple(blocks))


def _configurations(runs: tuple[Run, ...]) -> Table:
    flat = [dict(_flat(run.config)) for run in runs]
    keys = list(dict.fromkeys(key for each in flat for key in each))
    rows = tuple((brief(key), *(brief(each.get(key, "")) for each in flat)) for key in keys)
    return Table("How each run was trained", ("setting", *distinct(run.name for run in runs)), rows)


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)


def _tasks(run: Run) -> Table:
    rows = tuple(
        (task.name, kind_of(task), brief(task.label), brief(task.when or ""), rounded(task.weight))
        for task in run.schema.tasks
    )
    return Table(f"Tasks of {brief(run.schema.name)}", ("task", "kind", "label", "observed where", "weight"), rows)


def environment_section(sources: Sources) -> Section:
    """Name everything that the page was made of, with the runs that it belongs to, and what computed it."""
    blocks: list[Block] = [_given(sources)]
    blocks += [_environment(run.name, run.environment) for run in sources.runs if run.environment]
    for each in sources.evaluations:
        result = each.found
        facts = {"created": result.created, "seconds": rounded(result.seconds), "seed": str(result.seed)}
        blocks.append(_environment(each.name, facts | result.environment))
    return Section("environment", "What this page is made of", tuple(blocks))


def _environment(name: str, facts: Mapping[str, str]) -> Table:
    rows = tuple((brief(what), brief(value)) for what, value in facts.items())
    return Table(f"Environment of {brief(name)}", ("what", "value"), rows)


def _given(sources: Sources) -> Table:
    rows = [(each.name, "run", each.run_id, "") for each in sources.runs]
    rows += [(each.name, "bundle", each.run_id, str(each.signature.precision)) for each in sources.bundles]
    rows += [(each.name, "evaluation", each.run_id, each.found.model.precision) for each in sources.evaluations]
    rows += [(each.name, "load test", each.run_id, "") for each in sources.loads]
    rows += [(each.name, "comparison", "", "") for each in sources.comparisons]
    return Table("Sources", ("path", "kind", "run", "precision"), tuple(tuple(map(brief, row)) for row in rows))
