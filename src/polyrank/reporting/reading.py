"""Reading what a report is made of; whatever is something else is refused with what is accepted."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from polyrank.decoding import decode_json, decode_toml
from polyrank.errors import DataError, RepositoryError
from polyrank.evaluation.results import Result
from polyrank.reasons import system_reason
from polyrank.schema import Schema
from polyrank.signature import Signature

from .records import Comparison, LoadTest, Parity, Record, RunMetrics, Times
from .sources import Bundle, Compared, Evaluation, Loaded, Run, Sources

ACCEPTED = (
    "a run directory, a bundle or published version, or what evaluate --out, loadtest --json or compare --json wrote"
)
METRICS, SCHEMA, CONFIG, TIMES = "metrics.json", "schema.toml", "config.toml", "times.json"
SIGNATURE, PARITY, RECORD, REQUESTS = "signature.json", "parity.json", "version.json", "rank"

Source = Run | Bundle | Evaluation | Loaded | Compared
T = TypeVar("T")


def read_sources(paths: Iterable[Path]) -> Sources:
    """Read all paths, each once.

    Raises:
        DataError: one cannot be read, or is none of what is accepted.
        SchemaError: the schema of a run is damaged.
        RepositoryError: the signature of a bundle is damaged.
    """
    once: dict[Path, Path] = {}
    for path in paths:
        once.setdefault(path.resolve(), path)
    found = [source for path in once.values() for source in _read(path)]
    return Sources(
        runs=tuple(each for each in found if isinstance(each, Run)),
        bundles=tuple(each for each in found if isinstance(each, Bundle)),
        evaluations=tuple(each for each in found if isinstance(each, Evaluation)),
        loads=tuple(each for each in found if isinstance(each, Loaded)),
        comparisons=tuple(each for each in found if isinstance(each, Compared)),
    ).main_first()


def _read(path: Path) -> Iterator[Source]:
    if path.is_dir():
        yield from _read_directory(path)
    elif path.is_file():
        yield _read_file(path)
    else:
        reason = "is neither a file nor a directory" if path.exists() else "does not exist"
        raise DataError(f"{path} {reason}; give {ACCEPTED}")


def _read_directory(path: Path) -> Iterator[Source]:
    if (path / METRICS).is_file():
        yield _read_run(path)
    elif (path / SIGNATURE).is_file():
        yield _read_bundle(path)
        if (path / REQUESTS / SIGNATURE).is_file():
            yield _read_bundle(path / REQUESTS)
    else:
        raise DataError(f"{path} holds neither {METRICS} nor {SIGNATURE}; give {ACCEPTED}")


def _read_run(path: Path) -> Run:
    schema = Schema.load(path / SCHEMA)
    times = _decoded(path / TIMES, Times) if (path / TIMES).is_file() else None
    return Run(
        name=str(path),
        metrics=_decoded(path / METRICS, RunMetrics),
        schema=schema,
        schema_text=_bytes(path / SCHEMA).decode(),
        config=_toml(path / CONFIG),
        train_s=None if times is None else times.train_s,
        environment={} if times is None else times.environment,
    )


def _read_bundle(path: Path) -> Bundle:
    try:
        signature = Signature.from_json(_bytes(path / SIGNATURE))
    except RepositoryError as err:
        raise RepositoryError(f"{path / SIGNATURE}: {err}") from err
    record = _decoded(path / RECORD, Record) if (path / RECORD).is_file() else None
    parity = _decoded(path / PARITY, Parity)
    if not parity.differences:
        raise DataError(f"{path / PARITY} holds no difference; export the run anew")
    return Bundle(name=str(path), signature=signature, parity=parity, record=record)


def _read_file(path: Path) -> Source:
    try:
        fields = decode_json(_bytes(path), dict[str, Any]).keys()
    except msgspec.DecodeError as err:
        raise DataError(f"{path} is no JSON object: {err}; give {ACCEPTED}") from err
    if {"model", "data", "tasks"} <= fields:
        return Evaluation(str(path), _even(path, Result.load(path)))
    if "loads" in fields:
        return Loaded(str(path), _decoded(path, LoadTest))
    if {"baseline", "changes"} <= fields:
        return Compared(str(path), _decoded(path, Comparison))
    raise DataError(f"{path} is no file of Polyrank; give {ACCEPTED}")


def _even(path: Path, result: Result) -> Result:
    """Refuse a histogram whose bins have no ends, or the other way round."""
    histograms = [(found.edges, counts) for found in result.distributions.values() for counts in found.series.values()]
    histograms += [(found.edges, found.counts) for found in result.group_areas.values()]
    for edges, counts in histograms:
        if len(edges) != len(counts) + 1:
            raise DataError(f"{path} has {len(edges)} edges for {len(counts)} bins; evaluate anew with this Polyrank")
    return result


def _decoded(file: Path, kind: type[T]) -> T:
    try:
        return decode_json(_bytes(file), kind)
    except msgspec.DecodeError as err:
        raise DataError(f"{file} cannot be read: {err}; make it anew with this Polyrank") from err


def _toml(file: Path) -> dict[str, Any]:
    written = _bytes(file)
    try:
        return decode_toml(written, dict[str, Any])
    except msgspec.DecodeError as err:
        raise DataError(f"{file} cannot be read: {err}; train the run anew") from err


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as err:
        raise DataError(f"{file} cannot be read: {system_reason(err)}") from err
