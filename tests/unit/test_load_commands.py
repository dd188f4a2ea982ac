"""`polyrank loadtest` and `polyrank verify`: wrong numbers are told by option before anything is sent."""

import pytest

from polyrank.__main__ import main
from polyrank.errors import ConfigError
from polyrank.serving.load_target import LoadOptions
from polyrank.serving.loadtest import check_rate

NOBODY = "localhost:1"

LOAD = {
    "--seed -1": "--seed must be an integer in [0, 2**64), got -1",
    "--batch 0": "--batch must be an integer in [1, 1048576], got 0",
    "--items 0": "--items must be an integer in [1, 1048576], got 0",
    "--connections 0": "--connections must be an integer in [1, 10000], got 0",
    "--seconds 0": "--seconds must be in [0.1, 86400], got 0.0",
    "--seconds nan": "--seconds must be in [0.1, 86400], got nan",
    "--seconds inf": "--seconds must be in [0.1, 86400], got inf",
    "--timeout-s nan": "--timeout-s must be above 0",
    "--timeout-s -1": "--timeout-s must be above 0",
    "--rates 5 0": "--rates must be in (0, 100000] requests per second, got 0",
    "--rates 5 nan": "--rates must be in (0, 100000] requests per second, got nan",
    "--rates 1e99": "--rates must be in (0, 100000] requests per second, got 1e+99",
    "--rates 5 0.001 --seconds 1": "--rates 0.001 gives no request within 1 s; raise it, or measure for longer",
    "--picture load.gif": "--picture must end in .svg, .png, .pdf, got load.gif",
    "--picture /dev/fd/1.svg": "cannot write /dev/fd/1.svg: it is a stream",
}


@pytest.mark.parametrize("options", LOAD)
def test_wrong_load_is_one_line(capsys: pytest.CaptureFixture[str], options: str) -> None:
    assert main(["loadtest", NOBODY, "rows.parquet", "--rates", "5", *options.split()]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"polyrank: {LOAD[options]}")
    assert error.count("\n") == 1


@pytest.mark.parametrize("limit", ["nan", "inf", "0", "-1", "1e99"])
def test_limit_that_is_none_is_one_line(capsys: pytest.CaptureFixture[str], limit: str) -> None:
    assert main(["loadtest", NOBODY, "rows.parquet", "--p99-ms", limit]) == 1
    shown = repr(float(limit))
    assert capsys.readouterr().err == f"polyrank: --p99-ms must be above 0 and at most 86400000, got {shown}\n"


def test_rate_that_chance_leaves_without_a_request_is_refused() -> None:
    check_rate(1.0, LoadOptions(seconds=1.0, seed=0))
    with pytest.raises(ConfigError, match=r"^rate 1 gives no request within 1 s; raise it"):
        check_rate(1.0, LoadOptions(seconds=1.0, seed=2))


@pytest.mark.parametrize("tolerance", ["nan", "inf", "0", "-1", "1e99"])
def test_tolerance_that_is_none_is_one_line(capsys: pytest.CaptureFixture[str], tolerance: str) -> None:
    assert main(["verify", NOBODY, "bundle", "--tolerance", tolerance]) == 1
    shown = repr(float(tolerance))
    assert capsys.readouterr().err == f"polyrank: --tolerance must be above 0 and at most 1, got {shown}\n"


def test_time_that_is_none_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", NOBODY, "bundle", "--timeout-s", "nan"]) == 1
    assert capsys.readouterr().err.startswith("polyrank: --timeout-s must be above 0")
