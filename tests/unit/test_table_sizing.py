"""The figures of docs/sharded-tables.md are those of its formulas."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "table_sizing.py"


@pytest.fixture(scope="module")
def sizing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("table_sizing", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["table_sizing"] = module
    spec.loader.exec_module(module)
    return module


def test_memory_is_that_of_weights_and_a_number_for_each_row(sizing: ModuleType) -> None:
    table = sizing.Table.parse("user:1e9x64:1")
    assert (table.weight_bytes, table.state_bytes) == (256_000_000_000, 4_000_000_000)
    assert sizing.num_gpus([table], 80e9, 0.75) == 5  # 260 GB by 60


def test_rows_that_are_dealt_out_send_ids_and_sums(sizing: ModuleType) -> None:
    tables = [sizing.Table.parse("user:100x4:1"), sizing.Table.parse("bag:100x8:50")]
    traffic = sizing.row_wise(tables, batch=40, gpus=4)
    assert traffic.ids == 10 * 51 * 8 * 3 / 4
    assert traffic.forward == traffic.backward == 40 * (4 + 8) * 4 * 3 / 4
    assert traffic.total == traffic.ids + 2 * traffic.forward


def test_whole_tables_send_a_share_of_the_vectors(sizing: ModuleType) -> None:
    tables = [sizing.Table.parse("user:100x4:1")]
    whole, dealt = sizing.table_wise(tables, batch=40, gpus=4), sizing.row_wise(tables, batch=40, gpus=4)
    assert (whole.ids, whole.forward * 4, whole.backward * 4) == (dealt.ids, dealt.forward, dealt.backward)


def test_copies_receive_the_rows_that_others_touched(sizing: ModuleType) -> None:
    assert sizing.copies([sizing.Table.parse("bag:100x8:50")], batch=40, gpus=4) == 30 * 50 * (8 + 8 * 4)


def test_page_shows_what_the_script_prints() -> None:
    printed = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=True).stdout
    assert printed.rstrip() in (ROOT / "docs" / "sharded-tables.md").read_text()
