"""The crontab and the units of examples/loop: what they run is run once, as cron and systemd would."""

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from artefacts.shop_logs import Shop

from polyrank.loop import Loop
from polyrank.loop.locking import alone

EXAMPLE = Path(__file__).parents[2] / "examples" / "loop"
HOME = "/srv/shop"
FIELD = r"(?:\*|\d+(?:-\d+)?)(?:/\d+)?"


def cron_command() -> str:
    """Return the command of the only entry of the crontab."""
    lines = (EXAMPLE / "crontab").read_text().splitlines()
    (entry,) = [line for line in lines if line and not re.match(r'#|[A-Z]+="', line)]
    found = re.fullmatch(rf"(?:{FIELD} ){{5}}(.+)", entry)
    assert found is not None, entry
    return found[1]


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, comment_prefixes="#", delimiters="=")
    parser.read_string((EXAMPLE / name).read_text())
    return parser


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A shop where the example has it, but for the folder that it is in."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "polyrank").symlink_to(Path(sys.executable).with_name("polyrank"))
    return Shop.open(tmp_path)


def run_as_cron(shop: Shop) -> tuple[int, str]:
    """Run the command as cron does, with next to no environment; return its exit code and its log."""
    command = cron_command().replace(HOME, str(shop.folder))
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(shop.folder), "SHELL": "/bin/sh", "LOGNAME": "shop"}
    done = subprocess.run(["/bin/sh", "-c", command], env=bare, cwd="/", capture_output=True, check=False, timeout=120)
    assert (done.stdout, done.stderr) == (b"", b"")  # cron would mail it
    return done.returncode, (shop.folder / "loop.log").read_text()


def test_crontab_runs_the_loop(shop: Shop) -> None:
    code, log = run_as_cron(shop)
    assert (code, log.count("\n")) == (0, 1)
    assert log.startswith("cycle 1  rows waits for impressions: impressions does not exist")


def test_run_that_finds_another_at_work_ends(shop: Shop) -> None:
    with alone(Loop.load(shop.settings).folder):
        code, log = run_as_cron(shop)
    assert code == 1
    assert re.fullmatch(r"polyrank: process \d+ on \S+, since \S+, runs the loop in \S+; wait until it .*\n", log)


def test_no_sign_of_the_command_means_a_new_line_to_cron() -> None:
    assert "%" not in cron_command()


def test_service_runs_what_the_crontab_runs() -> None:
    service = unit("polyrank-loop.service")["Service"]
    run = service["ExecStart"].removeprefix(f"{service['WorkingDirectory']}/")
    assert cron_command() == f"cd {service['WorkingDirectory']} && {run} >>loop.log 2>&1"
    assert service["ReadWritePaths"] == service["WorkingDirectory"] == HOME


def test_units_are_what_systemd_takes(shop: Shop) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing: apt-get install systemd")
    units = shop.folder / "units"
    units.mkdir()
    for file in EXAMPLE.glob("polyrank-loop.*"):
        (units / file.name).write_text(file.read_text().replace(HOME, str(shop.folder)))
    files = [str(file) for file in sorted(units.iterdir())]
    done = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False)
    assert len(files) == 2
    assert (done.returncode, done.stderr) == (0, "")


def test_timer_looks_as_often_as_the_crontab() -> None:
    assert unit("polyrank-loop.timer")["Timer"]["OnCalendar"] == "*:0/10"
    assert (EXAMPLE / "crontab").read_text().count("\n*/10 * * * * ") == 1
