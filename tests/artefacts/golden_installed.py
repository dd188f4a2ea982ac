"""Run by the Python of an environment with a wheel: compares its fingerprints with a golden file, which it is given.

It prints the vector instructions that they were computed with.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from polyrank.fingerprint import LEVEL, fingerprint

MASK = 2**63 - 1


def main() -> None:
    """Compare keys of every length, texts, and whole numbers under both dtypes."""
    vectors: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    pattern = bytes((31 * place + 7) % 256 for place in range(301))
    keys = pa.array([pattern[:length] for length in range(301)], pa.binary())
    for seed, words in vectors["lengths"].items():
        expected = [int(word, 16) & MASK for word in words]
        assert fingerprint(keys, dtype="text", seed=int(seed)).tolist() == expected, seed
    texts, words = zip(*vectors["text"], strict=True)
    assert fingerprint(pa.array(texts), dtype="text").tolist() == list(map(int, words))
    numbers, words = zip(*vectors["int64"], strict=True)
    assert fingerprint(np.array(numbers, np.int64), dtype="int64").tolist() == list(map(int, words))
    written, words = zip(*vectors["decimal"], strict=True)
    assert fingerprint(list(map(int, written)), dtype="text").tolist() == list(map(int, words))
    sys.stdout.write(f"{LEVEL}\n")


if __name__ == "__main__":
    main()
