"""What answers rows: a trained run, an exported bundle, or a server, all asked alike."""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from polyrank.errors import ConfigError, DataError, RequestError
from polyrank.reasons import system_reason

if TYPE_CHECKING:
    import pyarrow as pa

    from polyrank.evaluation.answered import Answerer
    from polyrank.metrics.comparison import Answers
    from polyrank.schema import Schema
    from polyrank.serving import ClientOptions
    from polyrank.serving.scoring import Scorer

Kind = Literal["run", "bundle", "server"]

WEIGHTS_FILE, SIGNATURE_FILE = "weights.safetensors", "signature.json"
"""What tells a run directory, and a bundle or a published version."""


@contextlib.contextmanager
def answerer(
    model: str, *, name: str | None = None, timeout_s: float = 60.0, client: "ClientOptions | None" = None
) -> "Iterator[Answerer]":
    """Open what answers, until the block ends.

    Args:
        model: the directory of a run, of a bundle or of a published version, or `host:port` of a server.
        name: of the model; None takes the only one that there is.
        timeout_s: of a server: time for each call of `answer`, in seconds.
        client: how a server is called; but attempts are made for as long as `timeout_s` leaves time.

    Raises:
        ConfigError: `model` is none of these, `name` is that of another model, or `timeout_s` is wrong.
        MissingExtraError: PyTorch, of a run, or ONNX Runtime, of a bundle, is not installed.
        PolyrankError: the directory is damaged, or the server does not answer.
    """
    kind = _kind_of(model)
    if kind == "run":
        with _opened_run(model, name) as run:
            yield run
    else:
        with open_scorer(model, name, timeout_s, client) as scorer:
            yield _ScorerAnswerer(model, kind, scorer, scorer.signature.schema, scorer.signature.run_id)


@contextlib.contextmanager
def open_scorer(
    model: str, name: str | None, timeout_s: float, client: "ClientOptions | None" = None
) -> "Iterator[Scorer]":
    """Open a bundle in this process, or a server, until the block ends; as `answerer`."""
    from polyrank.serving import ClientOptions, LocalRanker, Ranker
    from polyrank.serving.addresses import check_timeout

    check_timeout(timeout_s)
    if Path(model).is_dir():
        with LocalRanker(model) as local:
            published = Path(model).absolute().parent.name if local.version else local.model
            _check_name(name, model, published, local.model)
            yield local
        return
    # More attempts than fit into the deadline, which so decides alone: they are half the limit apart on average.
    patient = {"attempts": 1000, "backoff_limit_s": max(0.5, timeout_s / 400)}
    options = msgspec.structs.replace(client or ClientOptions(), **patient)
    with Ranker(model, name, timeout_s=timeout_s, options=options) as ranker:
        yield ranker


@dataclasses.dataclass(frozen=True)
class _RunAnswerer:
    source: str
    name: str
    schema: "Schema"
    run_id: str
    answer: Callable[["pa.Table"], "Answers"]
    precision: str
    kind: Kind = "run"
    version: str = ""


@dataclasses.dataclass(frozen=True)
class _ScorerAnswerer:
    source: str
    kind: Kind
    scorer: "Scorer"
    schema: "Schema"
    run_id: str

    @property
    def name(self) -> str:
        return self.scorer.model

    @property
    def version(self) -> str:
        return self.scorer.version

    @property
    def precision(self) -> str:
        return str(self.scorer.signature.precision)

    def answer(self, rows: "pa.Table") -> "Answers":
        from polyrank.serving.origins import RUN_ID

        scores = self.scorer.score(rows)
        found = scores.schema.metadata[RUN_ID.encode()].decode()
        if found != self.run_id:
            raise RequestError(
                f"{self.name} at {self.source}: version {self.version} of another run, {found}, went live meanwhile; "
                "ask again, so that one model answers all rows"
            )
        return {task.name: _array(scores.column(task.name)) for task in self.schema.tasks}


def _kind_of(model: str) -> Kind:
    """Tell by the files of a directory, or by the form of an address, what answers.

    Raises:
        ConfigError: it is neither.
    """
    from polyrank.serving.addresses import address_of

    folder = Path(model)
    if not folder.is_dir():
        try:
            address_of(model)
        except ConfigError as err:
            found = "a file" if folder.exists() else "neither a directory nor an address"
            raise ConfigError(f"{_EXPECTED}, got {model!r}, which is {found}") from err
        return "server"
    if (folder / WEIGHTS_FILE).is_file():
        return "run"
    if (folder / SIGNATURE_FILE).is_file():
        return "bundle"
    raise ConfigError(f"{_EXPECTED}, got {model!r}, a directory without {WEIGHTS_FILE} and {SIGNATURE_FILE}")


_EXPECTED = (
    "model must be the directory of a run (polyrank train) or a bundle (polyrank export), or host:port of a server"
)


@contextlib.contextmanager
def _opened_run(model: str, name: str | None) -> "Iterator[Answerer]":
    """Open a run, whose blocks of rows are answered side by side, each on one core.

    Several cores on one block wait for one another at every layer: where they are busy, that takes five times as long.
    """
    from polyrank.encoder import Encoder
    from polyrank.models import TrainedRanker
    from polyrank.models.trained import PREDICTED_ROWS, predict
    from polyrank.signature import Precision
    from polyrank.train.threads import torch_threads

    trained = TrainedRanker.load(Path(model))
    schema, encoder = trained.schema, Encoder(trained.schema)
    _check_name(name, model, schema.name)
    cores = len(os.sched_getaffinity(0))
    with torch_threads(1), ThreadPoolExecutor(cores, "polyrank-predict") as pool:

        def answer(rows: "pa.Table") -> "Answers":
            batch = encoder.encode(rows)
            blocks = [batch[start : start + PREDICTED_ROWS] for start in range(0, len(batch), PREDICTED_ROWS)]
            parts = list(pool.map(lambda block: predict(trained.model, block), blocks))
            return {task: np.concatenate([part[task] for part in parts]) for task in parts[0]}

        yield _RunAnswerer(model, schema.name, schema, trained.run_id, answer, str(Precision()))


def _check_name(name: str | None, model: str, *known: str) -> None:
    """Refuse a name that is none of those that the model of a directory goes by."""
    if name is not None and name not in known:
        raise ConfigError(f"name must be {known[0]!r}, the model of {model}, got {name!r}; correct it or leave it out")


def _array(column: "pa.ChunkedArray") -> NDArray[np.float32]:
    import pyarrow as pa

    if not pa.types.is_fixed_size_list(column.type):
        return np.asarray(column.to_numpy(), np.float32)
    numbers = column.combine_chunks().flatten().to_numpy()
    return np.asarray(numbers, np.float32).reshape(-1, column.type.list_size)


def origin_of(model: str) -> tuple[str, str | None]:
    """Return which training run the directory of a run or of a bundle is of, and in which precision it is.

    A run has None: graphs of every precision are its.

    Nothing of it is started: of a bundle its signature is read, of a run the files are hashed.

    Raises:
        ConfigError: it is neither.
        DataError: a file of the run cannot be read.
        RepositoryError: the signature of the bundle cannot be read.
        MissingExtraError: PyTorch, of a run, is not installed.
    """
    if (kind := _kind_of(model)) == "server":
        raise ConfigError(f"model must be the directory of a run or a bundle, got {model!r}")
    if kind == "bundle":
        from polyrank.signature import Signature

        signature = Signature.load(Path(model))
        return signature.run_id, str(signature.precision)
    from polyrank.models.trained import content_hash

    try:
        return content_hash(Path(model)), None
    except OSError as err:
        raise DataError(f"{model} is no whole run: {_read_error(err)}; train it anew") from err


def _read_error(err: OSError) -> str:
    return f"{Path(err.filename).name} cannot be read ({system_reason(err)})"
