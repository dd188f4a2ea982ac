"""What tests of documentation take for what a page shows."""

from pathlib import Path

import pytest
from artefacts.page_session import BlockError, Session, mismatch
from artefacts.pages import Block

SAME = {
    "measures": ("9 rows/s: 94,728 rows in 2 s, 40%", "1,234 rows/s: 94,728 rows in 31.25 s, 7%"),
    "sizes": ("run: 12 MB, 1.2 MiB, 0.3", "run: 9 MB, 3 MiB, 0.7"),
    "ports": ("ready at http 127.0.0.1:8000", "ready at http 127.0.0.1:43121"),
    "minutes": ("1  live  2026-11-30 02:29  2.5", "1  live  2027-01-01 12:00  2.5"),
    "metrics": ("click auc 0.7471 [0.7402, 0.7545]", "click auc 0.7322 [0.7202, 0.7745]"),
    "run ids": ("run 4db0d7085157 in work/run", "run 60f0b963f9ac in work/run"),
    "space": ("output   limit", "output limit"),
    "lines left out": ("a\n...\nd", "a\nb\nc\nd"),
    "the rest of a line": ("log: ...", "log: /root/.cache"),
    "progress": ("done", "logs: 5 of 9 rows (1%), 17,827 rows/s\ndone"),
}
OTHER = {
    "counts": ("40,000 rows: 0 errors", "40,000 rows: 7 errors"),
    "numbers of versions": ("ranker version 1 in models/ranker/1", "ranker version 1 in models/ranker/2"),
    "days of data": ("2022-04-24T15:52:10", "2022-04-25T15:52:10"),
    "words": ("94,728 rows", "94,728 lines"),
    "metrics": ("auc 0.7471", "auc 0.6471"),
    "a line more": ("a", "a\nb"),
    "a line less": ("a\nb", "a"),
    "no number": ("auc 0.7471", "auc nan"),
}


@pytest.mark.parametrize(("shown", "printed"), SAME.values(), ids=SAME)
def test_same_output_is_taken_for_it(shown: str, printed: str) -> None:
    assert mismatch(shown, printed) is None


@pytest.mark.parametrize(("shown", "printed"), OTHER.values(), ids=OTHER)
def test_other_output_is_told(shown: str, printed: str) -> None:
    assert mismatch(shown, printed) is not None


def test_order_of_ranked_items_may_be_another() -> None:
    shown, printed = ("version 1, 9 items\n3310 0.9902\n", "version 1, 9 items\n120 0.9710\n")
    assert mismatch(shown, printed, is_ranked=True) is None
    assert mismatch(shown, printed.replace("9 items", "8 items"), is_ranked=True) is not None
    assert mismatch(shown, printed.replace("0.9710", "0.7"), is_ranked=True) is not None


def test_blocks_share_a_shell_and_a_python(tmp_path: Path) -> None:
    with Session(tmp_path, 1234) as session:
        session.run(Block("bash", "cd /\nplace=here\n", 1))
        session.run(Block("python", "number = 46\n", 2))
        assert session.run(Block("bash", "echo $place $PWD localhost:8000\n", 3)) == "here / localhost:1234"
        assert session.run(Block("python", "print(number)\n", 4)) == "46"


@pytest.mark.parametrize(
    "block", [Block("bash", "echo lost\nfalse\n", 1), Block("python", "print('lost')\n1 / 0\n", 1)]
)
def test_failed_block_stops_with_what_it_printed(tmp_path: Path, block: Block) -> None:
    with Session(tmp_path, 1234) as session, pytest.raises(BlockError, match=r"^lost"):
        session.run(block)
