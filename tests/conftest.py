import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from artefacts import small_disks
from artefacts.served import served_folder
from hypothesis import HealthCheck, settings
from toy import TOY_TOML, ToyRows, toy_table

from polyrank.schema import Schema

# Small tensors gain nothing by threads, and lose much where those of several processes wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# What a shell runs in the background ignores Ctrl-C, and so would the commands that tests start and interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an input takes to draw says more of a machine that is shared than of the test.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")

KUAIRAND = Path(__file__).parents[1] / "examples" / "kuairand"
KUAIRAND_ROWS = 8_000


@pytest.fixture(autouse=True)
def log_level_is_that_of_the_test() -> None:
    """Begin with the level of a library: a command that ran in this process, for a fixture too, leaves its own."""
    logging.getLogger("polyrank").setLevel(logging.NOTSET)


@pytest.fixture(autouse=True, scope="session")
def encoded_rows_are_kept_apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what tests encode out of the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("polyrank.caches.encoded_folder", lambda: folder)
        yield


@pytest.fixture(scope="session")
def toy_schema() -> Schema:
    return Schema.from_toml(TOY_TOML)


@pytest.fixture(scope="session")
def toy_rows() -> ToyRows:
    return toy_table


@pytest.fixture(scope="session")
def toy_run(tmp_path_factory: pytest.TempPathFactory, toy_schema: Schema) -> Path:
    from polyrank.train import TrainConfig, fit

    config = TrainConfig(batch_size=128, epochs=2)
    return fit(
        toy_schema, toy_table(2_000, 0), out=tmp_path_factory.mktemp("toy") / "run", config=config, progress=False
    ).path


@pytest.fixture(scope="session")
def kuairand_slice() -> pa.Table:
    from polyrank.train.datasets import kuairand

    logs = kuairand.load(KUAIRAND)
    return logs.slice(logs.num_rows - KUAIRAND_ROWS)


@pytest.fixture(scope="session")
def toy_bundle(tmp_path_factory: pytest.TempPathFactory, toy_run: Path) -> Path:
    """Give the directory of a toy run exported over rows alone; copy it before changing it."""
    from polyrank.export import ExportOptions, export_onnx

    folder = tmp_path_factory.mktemp("toy") / "bundle"
    return export_onnx(toy_run, out=folder, options=ExportOptions(requests=None)).path


@pytest.fixture(scope="session")
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of repositories, rows and expected scores that artefacts.served describes."""
    return served_folder(request, tmp_path_factory.mktemp("served"))


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Give a file system of the size that the parameter says."""
    with small_disks.mounted(tmp_path / "disk", request.param) as disk:
        yield disk
