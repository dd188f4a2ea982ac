"""`evaluate_model`: a run, a bundle or a server, and labelled rows in, an evaluation out."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.answering import answerer, run_id_of
from polyrank.errors import ConfigError, DataError
from polyrank.evaluation import Result
from polyrank.evaluation.evaluating import evaluate_files
from polyrank.evaluation.options import EvaluationOptions
from polyrank.serving.addresses import address_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def evaluate_model(  # noqa: PLR0913 (each is a choice of the user, by name)
    model: str | Path,
    rows: str | Path,
    *,
    validation_of: str | Path | None = None,
    url: str | None = None,
    name: str | None = None,
    timeout_s: float = 60.0,
    options: EvaluationOptions | None = None,
) -> Result:
    """Evaluate a model on the rows of files.

    Args:
        model: the directory of a run, of a bundle or of a published version, or `host:port` of a server.
        rows: labelled rows: a file, a directory of files or a pattern.
        validation_of: a run, made of `rows`, whose validation rows are evaluated; None evaluates all rows.
        url: a server that answers in place of `model`, whose run it must serve.
        name: of the model on its server; None takes the only one that there is.
        timeout_s: time for each call to a server, in seconds.
        options: how; None takes the defaults.

    Raises:
        ConfigError: an option does not go with the model, or the server serves another run.
        DataError: the files cannot be read, hold no row, do not fit the schema, or are not those of `validation_of`.
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
        own = run_id_of(str(model))
    with answerer(url or str(model), name=name, timeout_s=timeout_s) as found:
        if own is not None and own != found.run_id:
            raise ConfigError(
                f"url {url} serves run {found.run_id}, and {model} is run {own}; publish it, or name the run that is "
                "served"
            )
        marks = None if validation_of is None else validation_rows(Path(validation_of), Path(rows))
        return evaluate_files(found, Path(rows), options, evaluated=marks)


def validation_rows(run: Path, rows: Path) -> "NDArray[np.bool_]":
    """Return which rows of files a run validated on, bool of all rows.

    Raises:
        ConfigError: `run` is no whole run.
        DataError: the rows are not those that it was made of.
    """
    from polyrank.schema import Schema
    from polyrank.train import TrainConfig
    from polyrank.train.preparing import validation_marks
    from polyrank.train.run import METRICS_FILE

    for name in ("schema.toml", "config.toml", METRICS_FILE):
        if not (run / name).is_file():
            raise ConfigError(f"validation_of {run} is not a run directory: {name} is missing")
    try:
        report = json.loads((run / METRICS_FILE).read_bytes())
        made_of = (int(report["train_rows"]), int(report["validation_rows"]))
    except (OSError, ValueError, TypeError, KeyError) as err:
        raise ConfigError(f"validation_of {run}: {METRICS_FILE} cannot be read; train it anew") from err
    marks = validation_marks(Schema.load(run / "schema.toml"), rows, TrainConfig.load(run / "config.toml"))
    found = (int((~marks).sum()), int(marks.sum()))
    if found != made_of:
        raise DataError(
            f"{rows} holds {sum(found):,} rows, {found[1]:,} of which would validate; run {run} was made of "
            f"{sum(made_of):,} with {made_of[1]:,}: name the rows that it was trained on"
        )
    return marks
