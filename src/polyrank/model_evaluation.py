"""`evaluate_model`: a run, a bundle or a server, and labelled rows in, an evaluation out."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from polyrank.answering import answerer, origin_of
from polyrank.errors import ConfigError, DataError
from polyrank.evaluation import Result
from polyrank.evaluation.evaluating import evaluate_files
from polyrank.evaluation.options import EvaluationOptions
from polyrank.files import Location, location
from polyrank.run_record import CONFIG_FILE, METRICS_FILE, RunRecord
from polyrank.serving.addresses import address_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from polyrank.evaluation.answered import Answerer
    from polyrank.serving import ClientOptions


def evaluate_model(  # noqa: PLR0913 (each is a choice of the user, by name)
    model: str | Path,
    rows: str | Location,
    *,
    validation_of: str | Path | None = None,
    url: str | None = None,
    name: str | None = None,
    timeout_s: float = 60.0,
    client: "ClientOptions | None" = None,
    options: EvaluationOptions | None = None,
) -> Result:
    """Evaluate a model on the rows of files.

    Args:
        model: the directory of a run, of a bundle or of a published version, or `host:port` of a server.
        rows: labelled rows: a file, a directory of files or a pattern.
        validation_of: a run, made of `rows`, whose validation rows are evaluated; None evaluates all rows. The files
            must hold as many rows as it was made of.
        url: a server that answers in place of `model`, whose run it must serve.
        name: of the model on its server; None takes the only one that there is.
        timeout_s: time for each call to a server, in seconds.
        client: how a server is called.
        options: how; None takes the defaults.

    Raises:
        ConfigError: an option does not go with the model, or the server serves another run, or another precision than
            the bundle's.
        DataError: the files cannot be read, hold no row, do not fit the schema, or hold more or fewer than
            `validation_of` was made of.
        MissingExtraError: PyTorch, of a run, or ONNX Runtime, of a bundle, is not installed.
        PolyrankError: the directory is damaged, or the server does not answer.
    """
    options = options or EvaluationOptions()
    if options.known is not None and validation_of is not None:
        raise ConfigError(
            "known does not go with the validation rows of a run, whose other rows are known; leave it out"
        )
    own = None
    if url is not None:
        address_of(url)
        own = origin_of(str(model))
    with answerer(url or str(model), name=name, timeout_s=timeout_s, client=client) as found:
        if own is not None:
            _check_served(f"url {url}", found, str(model), own)
        if validation_of is None:
            return _of_all(found, location(rows), options, _num_rows_of(Path(model)))
        validated = validation_rows(Path(validation_of), location(rows), options.encoding)
        return _of_validation(found, location(rows), options, validated)


def _check_served(url: str, served: "Answerer", model: str, origin: tuple[str, str | None]) -> None:
    """Refuse a server of another run, or of another precision than a bundle.

    Raises:
        ConfigError: it is one.
    """
    run_id, precision = origin
    if run_id != served.run_id:
        raise ConfigError(
            f"{url} serves run {served.run_id}, and {model} is run {run_id}; publish it, or name the run that is served"
        )
    if precision not in (None, served.precision):
        raise ConfigError(
            f"{url} serves {served.precision}, and {model} is {precision}; publish it, or name the bundle that is "
            "served"
        )


@dataclasses.dataclass(frozen=True)
class ValidationRows:
    """The rows of files that a run validated on.

    Attributes:
        marks: bool of all rows.
        encoding: that the files were read in.
        run_id: content hash of the run.
        chose_epoch: whether they chose which of its epochs is kept.
    """

    marks: "NDArray[np.bool_]"
    encoding: str
    run_id: str
    chose_epoch: bool


def _of_all(model: "Answerer", rows: Location, options: EvaluationOptions, made_of: int | None) -> Result:
    found = evaluate_files(model, rows, options)
    data = msgspec.structs.replace(found.data, as_trained=found.data.rows == made_of)
    return msgspec.structs.replace(found, data=data)


def _num_rows_of(model: Path) -> int | None:
    """Return how many rows a run, or that of a bundle, was made of; None where it is not known, as of a server."""
    is_run = (model / METRICS_FILE).is_file()
    record = RunRecord.of(model, "") if is_run else RunRecord.load(model)
    return None if record is None else record.made_of


def _of_validation(model: "Answerer", rows: Location, options: EvaluationOptions, validated: ValidationRows) -> Result:
    options = dataclasses.replace(options, encoding=validated.encoding)
    found = evaluate_files(model, rows, options, evaluated=validated.marks)
    is_own = validated.run_id == found.model.run_id
    data = msgspec.structs.replace(
        found.data, validation_of=validated.run_id, chose_epoch=validated.chose_epoch and is_own
    )
    return msgspec.structs.replace(found, data=data)


def validation_rows(run: Path, rows: Location, encoding: str | None = None) -> ValidationRows:
    """Find the rows of files that a run validated on, which is known of files with as many rows as it was made of.

    Args:
        run: its directory.
        rows: a file, a directory of files or a pattern.
        encoding: of CSV and JSON Lines files; None takes that of the run.

    Raises:
        ConfigError: `run` is no whole run.
        DataError: the files do not hold as many rows, or not as many that would validate.
    """
    from polyrank.schema import Schema
    from polyrank.train import TrainConfig
    from polyrank.train.preparing import validation_marks

    run_id, *made_of = _made_of(run)
    config = TrainConfig.load(run / CONFIG_FILE)
    if encoding is not None:
        config = msgspec.structs.replace(config, encoding=encoding)
    marks = validation_marks(Schema.load(run / "schema.toml"), rows, config)
    found = [int((~marks).sum()), int(marks.sum())]
    if found != made_of:
        raise DataError(
            f"{rows} holds {sum(found):,} rows, {found[1]:,} of which would validate; run {run} was made of "
            f"{sum(made_of):,} with {made_of[1]:,}: name the rows that it was trained on"
        )
    return ValidationRows(marks, config.encoding, run_id, config.keeps_best)


def _made_of(run: Path) -> tuple[str, int, int]:
    """Return the content hash of a run, and how many rows it was trained and validated on."""
    for name in ("schema.toml", CONFIG_FILE, METRICS_FILE):
        if not (run / name).is_file():
            raise ConfigError(f"validation_of {run} is not a run directory: {name} is missing")
    try:
        report = json.loads((run / METRICS_FILE).read_bytes())
        return str(report["run_id"]), int(report["train_rows"]), int(report["validation_rows"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as err:
        raise ConfigError(f"validation_of {run}: {METRICS_FILE} cannot be read; train it anew") from err
