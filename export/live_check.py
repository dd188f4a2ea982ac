"""Golden rows of a bundle, or of a published version, through a server that runs."""

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from polyrank.arguments import is_number, path, shown
from polyrank.errors import ConfigError, RepositoryError
from polyrank.signature import RAW_SUFFIX, REQUEST_SUFFIX, Signature
from polyrank.triton_config import CONFIG_FILE, published_version

from .bundle import MODEL_FILE, Bundle
from .live_server import LiveServer, golden_requests, joined_answers
from .model_directory import RECORD_FILE, VersionRecord
from .raw_model import raw_golden

REPETITIONS = 50


class KnownServer(LiveServer, Protocol):
    """What a check asks of a server besides; `polyrank.serving.ModelControl` does it."""

    def versions(self, model: str) -> tuple[int, ...]:
        """Return the versions of a model that answer, ascending."""
        ...

    def signature(self, model: str) -> Signature:
        """Return what the server says of the newest version of a model."""
        ...

    def max_batch_size(self, model: str) -> int:
        """Return how many rows a request takes; 0 where it is not made of rows."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class LiveCheck:
    """How a served model answers golden rows.

    Attributes:
        model: its name.
        version: that answered.
        run_id: of the training run, as the server says it.
        bundle: whose golden rows they are.
        rows: how many.
        differences: from the trained model's answers, by output, absolute up to 1 and relative above.
        tolerance: what each may be at most.
        p50_ms: of a request with all of them.
        p99_ms: of the same.
    """

    model: str
    version: int
    run_id: str
    bundle: Path
    rows: int
    differences: dict[str, float]
    tolerance: float
    p50_ms: float
    p99_ms: float

    @property
    def is_well(self) -> bool:
        """Whether each difference is within the tolerance."""
        return all(gap <= self.tolerance for gap in self.differences.values())


def check_live(
    server: KnownServer, bundle: str | Path, *, name: str | None = None, tolerance: float | None = None
) -> list[LiveCheck]:
    """Have a server answer golden rows.

    Args:
        server: which.
        bundle: a bundle, a model repository, a model in it, or one of its versions.
        name: of the model at the server; that of the bundle's schema, or of the model's folder, when left out.
        tolerance: that differences are held to, up to 1; that of the graph's precision when left out.

    Returns:
        A check for each graph of the bundle.

    Raises:
        ConfigError: `bundle` is no path, or `tolerance` is not above 0 and at most 1.
        RepositoryError: there is no such bundle, or the server serves another run than it is of.
        PolyrankError: the server does not answer.
    """
    if tolerance is not None and not (is_number(tolerance) and 0 < tolerance <= 1):
        raise ConfigError(f"tolerance must be above 0 and at most 1, got {shown(tolerance)}")
    checks = []
    for model, version, golden in _served(server, path("bundle", bundle), name):
        served = golden.signature if _is_raw(model, golden.path) else server.signature(model)
        if served.run_id != golden.signature.run_id:
            raise RepositoryError(
                f"{model} version {version} at {server.url} is of run {served.run_id}, and {golden.path} of run "
                f"{golden.signature.run_id}; name the bundle that was published"
            )
        checks.append(_check(server, model, version, golden, tolerance))
    return checks


def _is_raw(model: str, folder: Path) -> bool:
    """Say whether a version is of a model that encodes, whose signature the server does not tell."""
    name = model.removesuffix(RAW_SUFFIX)
    return name != model and (folder / RECORD_FILE).is_file() and VersionRecord.load(folder).models[0] == name


def _check(server: KnownServer, model: str, version: int, bundle: Bundle, tolerance: float | None) -> LiveCheck:
    golden = raw_golden(bundle) if _is_raw(model, bundle.path) else bundle.golden()
    rows = max(map(len, golden.inputs.values()))
    requests = golden_requests(golden, server.max_batch_size(model) or rows)
    times = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        parts = [server.answer(model, version, request) for request in requests]
        times.append(1e3 * (time.perf_counter() - start))
    return LiveCheck(
        model=model,
        version=version,
        run_id=bundle.signature.run_id,
        bundle=bundle.path,
        rows=rows,
        differences=golden.differences(joined_answers(parts)),
        tolerance=golden.tolerance if tolerance is None else tolerance,
        p50_ms=float(np.percentile(times, 50)),
        p99_ms=float(np.percentile(times, 99)),
    )


def _served(server: KnownServer, path: Path, name: str | None) -> Iterator[tuple[str, int, Bundle]]:
    """Yield each model to check, the version that answers, and where its golden rows are."""
    if (path / MODEL_FILE).is_file():
        bundle = Bundle.load(path)
        version = published_version(path)
        model = name or (bundle.signature.schema.name if version is None else path.absolute().parent.name)
        yield model, _newest(server, model) if version is None else version, bundle
        if bundle.requests is not None:
            other = model + REQUEST_SUFFIX
            yield other, _newest(server, other), bundle.requests
        return
    folders = [path] if (path / CONFIG_FILE).is_file() else sorted(path.glob("*"))
    models = [each for each in folders if (each / CONFIG_FILE).is_file() and name in (None, each.name)]
    if not models:
        wanted = "" if name is None else f" named {name!r}"
        raise RepositoryError(f"{path} holds no bundle and no published model{wanted}; make one with: polyrank export")
    for folder in models:
        version = _newest(server, folder.name)
        yield folder.name, version, Bundle.load(folder / str(version))


def _newest(server: KnownServer, model: str) -> int:
    versions = server.versions(model)
    if not versions:
        raise RepositoryError(f"{server.url} serves no version of {model!r}; have it loaded: polyrank publish --to")
    return versions[-1]
