"""Data sets pass `polyrank schema check --strict` with their own schemas, and fail with a planted outcome."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polyrank.__main__ import main
from polyrank.schema import Schema

ROOT = Path(__file__).parents[2]
DOWNLOADS = ROOT.parent / "shared" / "data"
OUT = ["--out", "logs.parquet", "--schema", "schema.toml"]
CHECK = ["--quiet", "schema", "check", "schema.toml", "logs.parquet", "--json", "--strict"]
SETS: dict[str, list[str]] = {
    "ml-100k": ["movielens", str(DOWNLOADS / "ml-100k")],
    "ml-1m": ["movielens", str(DOWNLOADS / "ml-1m")],
    "census-income": ["census-income", str(DOWNLOADS / "census-income")],
    "kuairand": ["kuairand", str(ROOT / "examples" / "kuairand")],
    "storefront": ["storefront", "--rows", "30000"],
}
LEAKS = {
    "ml-100k": "rating",
    "ml-1m": "rating",
    "census-income": "marital_stat",
    "kuairand": "play_time_ms",
    "storefront": "rating",
}


@pytest.fixture(params=[pytest.param(name, marks=[pytest.mark.slow] * (name == "ml-1m")) for name in SETS])
def name(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the name of a set whose logs and schema are in the working directory."""
    monkeypatch.chdir(tmp_path)
    arguments = SETS[request.param]
    if arguments[0] != "storefront" and not Path(arguments[1]).is_dir():
        pytest.skip(f"the data of {request.param} are not beside the project, in {DOWNLOADS}")
    assert main(["dataset", *arguments, *OUT]) == 0
    return str(request.param)


def leaking(capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    capsys.readouterr()
    code = main(CHECK)
    findings = json.loads(capsys.readouterr().out)["findings"]
    return code, [one["column"] for one in findings if one["level"] != "note"]


def labels() -> list[str]:
    return [part for task in Schema.load("schema.toml").tasks for part in ("--label", task.label)]


@pytest.mark.usefixtures("name")
def test_shipped_schema_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert leaking(capsys) == (0, [])


@pytest.mark.slow
@pytest.mark.usefixtures("name")
def test_proposal_passes_and_trains() -> None:
    assert main(["--quiet", "schema", "infer", "logs.parquet", "--out", "proposed.toml", *labels()]) == 0
    assert main(["--quiet", "schema", "check", "proposed.toml", "logs.parquet", "--strict"]) == 0
    assert main(["--quiet", "train", "logs.parquet", "--schema", "proposed.toml", "--out", "run"]) == 0


def test_planted_outcome_is_found(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An outcome of the logs themselves, as a categorical feature under another name."""
    logs = pq.read_table("logs.parquet")
    pq.write_table(logs.append_column("planted", logs[LEAKS[name]].cast(pa.string())), "logs.parquet")
    feature = '\n[[features]]\nname = "planted"\nkind = "categorical"\ndtype = "text"\nnum_buckets = 1000000\n'
    with Path("schema.toml").open("a") as schema:
        schema.write(feature)
    code, columns = leaking(capsys)
    assert code == 1
    assert set(columns) == {"planted"}
