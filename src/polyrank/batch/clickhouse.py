"""The SQL of ClickHouse, whose own `xxHash64` takes no seed: XXH64 is written out in wrapping 64-bit arithmetic.

Steps and primes are those of the public xxHash specification, "XXH64 Algorithm Description".
"""

from collections.abc import Sequence

from .dialect import MASK, Dialect

P1, P2, P3, P4, P5 = (
    0x9E3779B185EBCA87,
    0xC2B2AE3D27D4EB4F,
    0x165667B19E3779F9,
    0x85EBCA77C2B2AE63,
    0x27D4EB2F165667C5,
)


def _word(position: str) -> str:
    return f"reinterpretAsUInt64(substring(bytes, {position}, 8))"


_STRIPE = ",\n      ".join(
    f"polyrank_xxh64_round(lanes.{lane}, {_word(f'32 * i + {8 * lane - 7}')})" for lane in range(1, 5)
)
# A parameter's text is put in its place, so each is used once; a fold, or a lambda over an array of one, stands where a
# value is needed twice. The arguments of a fold come in the order function, arrays, start: read from the inside out.
_DEFINITIONS = f"""\
CREATE FUNCTION IF NOT EXISTS polyrank_xxh64_round AS (lane, word) -> bitRotateLeft(lane + word * {P2}, 31) * {P1};
CREATE FUNCTION IF NOT EXISTS polyrank_xxh64 AS (bytes, seed) ->
  arrayFold((h, shift, prime) -> bitXor(h, bitShiftRight(h, shift)) * prime, [33, 29, 32], [{P2}, {P3}, toUInt64(1)],
  arrayFold((h, i) -> bitRotateLeft(bitXor(h,
      reinterpretAsUInt8(substring(bytes, intDiv(length(bytes), 4) * 4 + i + 1, 1)) * {P5}), 11) * {P1},
    range(length(bytes) % 4),
  arrayFold((h, i) -> bitRotateLeft(bitXor(h,
      reinterpretAsUInt32(substring(bytes, intDiv(length(bytes), 8) * 8 + 1, 4)) * {P1}), 23) * {P2} + {P3},
    range(intDiv(length(bytes) % 8, 4)),
  arrayFold((h, i) -> bitRotateLeft(bitXor(h, polyrank_xxh64_round(0,
      {_word("intDiv(length(bytes), 32) * 32 + i * 8 + 1")})), 27) * {P1} + {P4},
    range(intDiv(length(bytes) % 32, 8)),
  length(bytes) + if(length(bytes) < 32, seed + {P5},
    arrayMap(lanes -> arrayFold((h, lane) -> bitXor(h, polyrank_xxh64_round(0, lane)) * {P1} + {P4},
      [lanes.1, lanes.2, lanes.3, lanes.4],
      bitRotateLeft(lanes.1, 1) + bitRotateLeft(lanes.2, 7) + bitRotateLeft(lanes.3, 12) + bitRotateLeft(lanes.4, 18)),
    [arrayFold((lanes, i) -> (
      {_STRIPE}),
      range(intDiv(length(bytes), 32)),
      (seed + {(P1 + P2) % 2**64}, seed + {P2}, seed + toUInt64(0), seed + {2**64 - P1}))])[1])))));
"""


class ClickHouse(Dialect):
    """ClickHouse SQL: `xxHash64Spark` (26.7 and later) hashes one value, the definitions go on with a cross."""

    preamble = (
        "-- ClickHouse. Run the definitions once; the server keeps them. Before 26.7, define xxHash64Spark too:\n"
        "-- CREATE FUNCTION xxHash64Spark AS (bytes) -> polyrank_xxh64(bytes, 42);\n"
        "-- A text column must hold strings, integers or booleans; an int64 column whole numbers or decimal text.\n"
        f"{_DEFINITIONS}"
    )

    def name(self, name: str) -> str:  # noqa: D102 (see Dialect)
        return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"

    def text(self, value: str) -> str:  # noqa: D102
        return f"toString({value})"

    def integer(self, value: str) -> str:  # noqa: D102
        # Reached only by what is not null: CASE evaluates no more than it must.
        return f"accurateCast(assumeNotNull({value}), 'Int64')"

    def is_null(self, value: str, dtype: str) -> str:  # noqa: ARG002, D102
        return f"{value} IS NULL"

    def fingerprint(self, keys: Sequence[tuple[str, str]]) -> str:  # noqa: D102
        first, *rest = (self._bytes(value, dtype) for value, dtype in keys)
        state = f"reinterpretAsUInt64(xxHash64Spark({first}))"
        for key in rest:
            state = f"polyrank_xxh64({key}, {state})"
        return f"reinterpretAsInt64(bitAnd({state}, {MASK}))"

    def each(self, values: str, body: str) -> str:  # noqa: D102
        return f"arrayMap(value -> {body}, {values})"

    def _bytes(self, value: str, dtype: str) -> str:
        if dtype == "text":
            return f"assumeNotNull({self.text(value)})"
        # A FixedString keeps zero bytes, which reinterpretAsString drops; concat makes it a String.
        return f"concat(reinterpretAsFixedString({self.integer(value)}), '')"
