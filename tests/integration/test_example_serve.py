"""The unit of examples/serve: systemd takes it, and so does the command that it runs."""

import configparser
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from polyrank.__main__ import build_parser

UNIT = Path(__file__).parents[2] / "examples" / "serve" / "polyrank.service"
HOME = "/srv/shop"


def service() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, comment_prefixes="#", delimiters="=")
    parser.read_string(UNIT.read_text())
    return parser["Service"]


@pytest.mark.parametrize("key", ["execstartpre", "execstart"])
def test_command_of_the_unit_is_one_of_polyrank(key: str) -> None:
    program, *words = shlex.split(service()[key])
    assert program == f"{HOME}/.venv/bin/polyrank"
    assert callable(build_parser().parse_args(words).run)


def test_unit_waits_longer_than_the_server_for_what_is_in_flight() -> None:
    words = shlex.split(service()["ExecStart"])[1:]
    assert build_parser().parse_args(words).grace_s < float(service()["TimeoutStopSec"])


def test_cache_of_the_unit_is_the_folder_that_systemd_makes() -> None:
    assert service()["Environment"] == f"POLYRANK_CACHE_DIR=/var/cache/{service()['CacheDirectory']}"


def test_unit_is_what_systemd_takes(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing: apt-get install systemd")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "polyrank").symlink_to(Path(sys.executable).with_name("polyrank"))
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(HOME, str(tmp_path)))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
