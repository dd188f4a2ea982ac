"""Cases of whole tables and of n-grams: the extension's answer or refusal against the reference's."""

import re
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
from fuzz.hostile_arrays import ROWS
from fuzz.hostile_tables import hostile_table
from fuzz.random_columns import TOKENS, random_column
from fuzz.random_tables import RefusedError, Row, dense, random_groups, random_table, slots, weights
from reference.arrow_c_structs import HandMadeArray

from polyrank import _native
from polyrank.errors import DataError
from polyrank.ngrams import fingerprint_ngrams
from polyrank.table import Field, Group, NGramGroup, NumberGroup, TableEncoder

NAMES = (b"a", b"b", b"bag", b"weights")


def check_table(source: Random) -> str:
    """Encode a table, in one of its forms, into random groups."""
    table, groups = random_table(source), random_groups(source)
    form = source.choice(["table", "table", "stream", "batch", "dicts"])
    rows = table.to_pylist()
    answers = [[_answer(group, row) for group in groups] for row in rows]
    what = f"{form} of {table.schema} into {groups}: {rows}"
    given = _form(table, form)
    try:
        found = TableEncoder(groups, source.choice([1, 2])).encode(given)
    except DataError as err:
        _check_refusal(str(err), table, groups, answers, what)
        return "tables refused"
    _check_arrays(found, answers[: given.num_rows] if form == "batch" else answers, what)
    return "tables"


def check_ngrams(source: Random) -> str:
    """Compare the n-grams of a column with the reference's."""
    column, missing = random_column(source), tuple(source.sample(TOKENS, source.randrange(3)))
    sizes, max_length = tuple(source.choices([1, 2, 5], k=2)), source.randrange(1, 9)
    group = NGramGroup(field=Field(name="text", dtype="text", missing=missing), sizes=sizes, max_length=max_length)
    answers = [_answer(group, {"text": value}) for value in column.to_pylist()]
    what = f"n-grams of {column.type}, sizes {sizes}, {max_length} slots, missing {missing}: {column.to_pylist()}"
    try:
        found = fingerprint_ngrams(column, sizes=sizes, max_length=max_length, missing=missing)
    except DataError:
        assert any(isinstance(answer, RefusedError) for answer in answers), f"refused: {what}"
        return "n-grams refused"
    expected = [None if isinstance(answer, RefusedError) else answer[0] for answer in answers]
    assert found.tolist() == expected, f"differs: {what}"
    return "n-grams"


def check_hostile_table(source: Random) -> str:
    """Give the extension a table that contradicts itself: an error or an answer, and all released at most once."""
    table = hostile_table(source, NAMES)
    groups = [group.described() for group in random_groups(source) if group.num_slots > 0]
    plan = _native.TablePlan([*groups, ("number", "b", False), ("vector", "bag", source.randrange(1, 4))])
    length = table.array.length if isinstance(table, HandMadeArray) else 0
    out = plan.matrices(length) if 0 < length <= ROWS and source.random() < 0.5 else None
    try:
        plan.encode_table(table, source.choice([1, 2]), out, source.random() < 0.8)
    except (ValueError, MemoryError, UnicodeDecodeError):
        outcome = "hostile tables refused"
    else:
        outcome = "hostile tables encoded"
    assert table.releases <= 1, "released twice"
    return outcome


def _form(table: pa.Table, form: str) -> Any:
    match form:
        case "stream":
            return table.to_reader()
        case "batch":
            return next(batch for batch in table.to_batches() if batch.num_rows > 0)
        case "dicts":
            return table.to_pylist()
        case _:
            return table


def _answer(group: Group, row: Row) -> tuple[list[int], list[float], list[float]] | RefusedError:
    try:
        return slots(group, row), weights(group, row), dense(group, row)
    except RefusedError as refused:
        return refused


def _check_refusal(message: str, table: pa.Table, groups: list[Group], answers: list[Any], what: str) -> None:
    """See that the column that the message names is one of those with no answer, and the row too."""
    column, row = re.search(r"column '(\w+)'", message), re.search(r"at row ([\d,]+)", message)
    assert column is not None, f"names no column: {message}: {what}"
    if row is None:
        _check_type_refusal(column[1], table, groups, answers, f"{message}: {what}")
        return
    refused = [answer for answer in answers[int(row[1].replace(",", "")) - 1] if isinstance(answer, RefusedError)]
    assert column[1] in [answer.column for answer in refused], f"{message}: {what}"


def _check_type_refusal(column: str, table: pa.Table, groups: list[Group], answers: list[Any], what: str) -> None:
    is_wrong = any(isinstance(answer, RefusedError) and answer.column == column for row in answers for answer in row)
    kind = table[column].type
    is_encoded = pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind)
    is_null = all(value is None for value in table[column].to_pylist())
    is_number = any(isinstance(group, NumberGroup) and group.name == column for group in groups)
    assert is_wrong or (is_number and (is_encoded or is_null)), what


def _check_arrays(found: Any, answers: list[Any], what: str) -> None:
    sizes = [len(array) for array in found if array is not None]
    assert set(sizes) == {len(answers)}, f"{sizes} rows for {len(answers)}: {what}"
    for row, line in enumerate(answers):
        assert not any(isinstance(answer, RefusedError) for answer in line), f"row {row} not refused: {what}"
        ids, weighed, numbers = ([cell for answer in line for cell in answer[place]] for place in range(3))
        assert found[0][row].tolist() == ids, f"row {row} differs: {what}"
        assert (found[1] is None and not weighed) or found[1][row].tolist() == weighed, f"weights of {row}: {what}"
        assert np.array_equal(found[2][row], np.array(numbers, np.float32), equal_nan=True), f"dense of {row}: {what}"
