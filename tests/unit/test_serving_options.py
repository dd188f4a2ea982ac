from pathlib import Path
from typing import Any

import msgspec
import pytest

from polyrank.errors import ConfigError
from polyrank.export.serving_options import InstanceGroup, MemoryOptions, ServingOptions, TensorRt

WHOLE = """
max_batch_size = 512
preferred_batch_sizes = [64, 256]
queue_delay_us = 200
queue_timeout_us = 50_000
queue_size = 1_000
threads = 4
warm_up = [1, 64]
response_cache = true
latest_versions = 2

[[instances]]
kind = "gpu"
count = 2
gpus = [0, 1]

[memory]
pattern = false
shrink = "cpu:0"

[tensorrt]
precision = "FP16"
engine_cache = "/engines"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "serving.toml"


def test_file_says_every_option(file: Path) -> None:
    file.write_text(WHOLE)
    assert ServingOptions.load(file) == ServingOptions(
        max_batch_size=512,
        preferred_batch_sizes=(64, 256),
        queue_delay_us=200,
        queue_timeout_us=50_000,
        queue_size=1_000,
        threads=4,
        warm_up=(1, 64),
        response_cache=True,
        latest_versions=2,
        instances=(InstanceGroup(kind="gpu", count=2, gpus=(0, 1)),),
        memory=MemoryOptions(pattern=False, shrink="cpu:0"),
        tensorrt=TensorRt(precision="FP16", engine_cache="/engines"),
    )


def test_empty_file_is_the_defaults(file: Path) -> None:
    file.write_text("")
    assert ServingOptions.load(file) == ServingOptions()


def test_options_survive_json() -> None:
    options = msgspec.toml.decode(WHOLE, type=ServingOptions)
    assert msgspec.json.decode(msgspec.json.encode(options), type=ServingOptions) == options


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("thread = 3", "$: object contains unknown field thread"),
        ('threads = "3"', "$.threads: expected int, got str"),
        ("threads = 0", "threads must be in [1, 1025), got 0"),
        ('warm_up = "all"', "$.warm_up: invalid enum value 'all'"),
        ("preferred_batch_sizes = [5000]", "preferred_batch_sizes must be in [1, 4096] (max_batch_size), got 5000"),
        ('[[instances]]\nkind = "tpu"', "$.instances[0].kind: invalid enum value 'tpu'"),
        ("[memory]\nshrink = 1", "$.memory.shrink: expected str | null, got int"),
        ("threads = ", "not valid TOML: "),
    ],
)
def test_wrong_file_is_refused_in_one_line(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        ServingOptions.load(file)
    assert str(caught.value).startswith(f"{file}: {message}")
    assert "\n" not in str(caught.value)


def test_absent_file_is_named(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"^cannot read serving options .*/serving\.toml: no such file or directory$"):
        ServingOptions.load(file)


@pytest.mark.parametrize(
    ("option", "low"),
    [
        ("max_batch_size", 1),
        ("latest_versions", 1),
        ("queue_delay_us", 0),
        ("queue_timeout_us", 0),
        ("queue_size", 0),
    ],
)
def test_number_has_limits(option: str, low: int) -> None:
    highest: dict[str, Any] = {option: 2**31 - 1}
    assert getattr(ServingOptions(**highest), option) == 2**31 - 1
    for value in (low - 1, 2**31):
        wrong: dict[str, Any] = {option: value}
        with pytest.raises(ConfigError, match=rf"^{option} must be in \[{low}, 2\*\*31\), got {value}$"):
            ServingOptions(**wrong)


@pytest.mark.parametrize("threads", [0, 1025])
def test_threads_have_limits(threads: int) -> None:
    assert ServingOptions(threads=1024).threads == 1024
    with pytest.raises(ConfigError, match=rf"^threads must be in \[1, 1025\), got {threads}$"):
        ServingOptions(threads=threads)


def test_what_is_live_is_said_once() -> None:
    with pytest.raises(ConfigError, match=r"^specific_versions and latest_versions both say what is live; leave one"):
        ServingOptions(specific_versions=(1,), latest_versions=2)


def test_lowest_numbers_are_accepted() -> None:
    options = ServingOptions(max_batch_size=1, threads=1, latest_versions=1, queue_delay_us=0)
    assert options.warm_up_sizes == (1,)


WRONG: dict[str, tuple[Any, str]] = {
    "warm-up above the largest batch": (
        lambda: ServingOptions(max_batch_size=64, warm_up=(65,)),
        "warm_up must be in [1, 64] (max_batch_size), got 65",
    ),
    "warm-up of nothing": (
        lambda: ServingOptions(warm_up=(0,)),
        "warm_up must be in [1, 4096] (max_batch_size), got 0",
    ),
    "version zero": (
        lambda: ServingOptions(specific_versions=(0, 2)),
        "specific_versions must be 1 or above, got [0, 2]",
    ),
    "no tolerance": (lambda: ServingOptions(tolerance=0.0), "tolerance must be in (0, 1), got 0.0"),
    "tolerance of no number": (lambda: ServingOptions(tolerance=float("nan")), "tolerance must be in (0, 1), got nan"),
    "threads as a truth value": (lambda: ServingOptions(threads=True), "threads must be in [1, 1025), got True"),
    "warm-up as a number": (lambda: ServingOptions(warm_up=8), "warm_up must be a list of integers, got 8"),  # type: ignore[arg-type]
    "versions as a number": (
        lambda: ServingOptions(specific_versions=5),  # type: ignore[arg-type]
        "specific_versions must be a list of integers, got 5",
    ),
    "sizes of no integers": (
        lambda: ServingOptions(preferred_batch_sizes=(8, 2.5)),  # type: ignore[arg-type]
        "preferred_batch_sizes must be a list of integers, got (8, 2.5)",
    ),
    "GPUs as text": (
        lambda: InstanceGroup(kind="gpu", gpus="01"),  # type: ignore[arg-type]
        "instances.gpus must be a list of integers, got '01'",
    ),
    "threads as text": (lambda: ServingOptions(threads="2"), "threads must be in [1, 1025), got '2'"),  # type: ignore[arg-type]
    "tolerance as text": (lambda: ServingOptions(tolerance="x"), "tolerance must be in (0, 1), got 'x'"),  # type: ignore[arg-type]
    "no instance group": (
        lambda: ServingOptions(instances=()),
        "instances must hold one group at least; leave them out for one on any device",
    ),
    "no instance": (lambda: InstanceGroup(count=0), "instances.count must be in [1, 1025), got 0"),
    "GPUs of a CPU": (
        lambda: InstanceGroup(kind="cpu", gpus=(0,)),
        "instances.gpus go with kind 'gpu', got kind 'cpu'; leave them out",
    ),
    "one GPU twice": (
        lambda: InstanceGroup(kind="gpu", gpus=(1, 1)),
        "instances.gpus must be different numbers from 0, got [1, 1]",
    ),
    "negative GPU": (
        lambda: InstanceGroup(kind="gpu", gpus=(-1,)),
        "instances.gpus must be different numbers from 0, got [-1]",
    ),
    "unknown device": (
        lambda: MemoryOptions(shrink="tpu:0"),
        "memory.shrink must name devices as in 'cpu:0;gpu:0', got 'tpu:0'",
    ),
    "shrinking without arena": (
        lambda: MemoryOptions(arena=False, shrink="cpu:0"),
        "memory.shrink needs memory.arena: without an arena there is none to shrink",
    ),
    "no workspace": (lambda: TensorRt(workspace_mb=0), "tensorrt.workspace_mb must be in [1, 1048576), got 0"),
    "TensorRT on CPUs": (
        lambda: ServingOptions(tensorrt=TensorRt(), instances=(InstanceGroup(kind="cpu"),)),
        "tensorrt needs instances of kind 'auto' or 'gpu', got 'cpu' alone",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_option_is_refused(name: str) -> None:
    make, message = WRONG[name]
    with pytest.raises(ConfigError) as caught:
        make()
    assert str(caught.value) == message
