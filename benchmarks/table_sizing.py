"""What embedding tables beyond one GPU take, in memory and on the network: docs/sharded-tables.md has the formulas.

python benchmarks/table_sizing.py
python benchmarks/table_sizing.py --table user:1e8x32:1 --batch 32_768 --gpu-gb 80
"""

import argparse
import dataclasses
import math
from collections.abc import Sequence

NUMBER_BYTES = 4
ID_BYTES = 8
GB = 1e9


@dataclasses.dataclass(frozen=True)
class Table:
    """An embedding table, and how it is looked up.

    Attributes:
        name: of the feature.
        rows: with that of "missing".
        dim: numbers in a row.
        ids: looked up for each example, on average; they are pooled into one vector.
    """

    name: str
    rows: int
    dim: int
    ids: float

    @classmethod
    def parse(cls, text: str) -> "Table":
        """Read `user:1e9x64:1`: name, rows x numbers, ids of an example."""
        name, shape, ids = text.split(":")
        rows, dim = shape.split("x")
        return cls(name, int(float(rows)), int(dim), float(ids))

    @property
    def weight_bytes(self) -> int:
        """Bytes of the weights, in float32."""
        return self.rows * self.dim * NUMBER_BYTES

    @property
    def state_bytes(self) -> int:
        """Bytes of row-wise Adagrad: one number for each row."""
        return self.rows * NUMBER_BYTES


@dataclasses.dataclass(frozen=True)
class Traffic:
    """What a GPU sends in a step, in bytes."""

    ids: float
    forward: float
    backward: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.ids + self.forward + self.backward


def num_gpus(tables: Sequence[Table], gpu_bytes: float, share: float) -> int:
    """Return how many GPUs hold weights and state, if a `share` of the memory of each is theirs."""
    return math.ceil(sum(each.weight_bytes + each.state_bytes for each in tables) / (gpu_bytes * share))


def row_wise(tables: Sequence[Table], batch: int, gpus: int) -> Traffic:
    """Return the traffic of tables whose rows are dealt out: ids go to owners, who answer sums of parts of a bag.

    Ids take an all-to-all, sums a reduce-scatter, gradients an all-gather.
    """
    others = (gpus - 1) / gpus
    vectors = batch * sum(each.dim for each in tables) * NUMBER_BYTES * others
    return Traffic(batch / gpus * sum(each.ids for each in tables) * ID_BYTES * others, vectors, vectors)


def table_wise(tables: Sequence[Table], batch: int, gpus: int) -> Traffic:
    """Return the traffic of whole tables on GPUs: ids, vectors and gradients take an all-to-all each."""
    others = (gpus - 1) / gpus
    vectors = batch / gpus * sum(each.dim for each in tables) * NUMBER_BYTES * others
    return Traffic(batch / gpus * sum(each.ids for each in tables) * ID_BYTES * others, vectors, vectors)


def copies(tables: Sequence[Table], batch: int, gpus: int) -> float:
    """Return the bytes of touched rows that a rank of Polyrank receives in a step, if no two ids of it are the same."""
    rows = batch * sum(each.ids * (ID_BYTES + each.dim * NUMBER_BYTES) for each in tables)
    return rows * (gpus - 1) / gpus


def main() -> None:
    """Print memory, GPUs and traffic of the tables that are given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="append", type=Table.parse, metavar="NAME:ROWSxDIM:IDS")
    parser.add_argument("--batch", type=int, default=65_536, help="examples of a step, of all GPUs together")
    parser.add_argument("--gpu-gb", type=float, action="append", help="memory of a GPU, in 10^9 bytes")
    parser.add_argument("--share", type=float, default=0.75, help="of a GPU's memory that is for tables")
    parser.add_argument(
        "--gbit", type=float, default=400.0, help="what a GPU sends to others in a second, in 10^9 bits"
    )
    args = parser.parse_args()
    tables = args.table or [Table.parse(each) for each in ("user:1e9x64:1", "item:2e8x64:1", "history:2e8x64:50")]
    for each in tables:
        size, state = each.weight_bytes / GB, each.state_bytes / GB
        print(f"{each.name:10} {each.rows:>13,} x {each.dim:<4} weights {size:8.1f} GB  state {state:6.1f} GB")
    total = sum(each.weight_bytes + each.state_bytes for each in tables)
    print(f"{'all':10} {'':20} {total / GB:8.1f} GB\n")
    for gpu_gb in args.gpu_gb or [80.0, 141.0]:
        gpus = max(2, num_gpus(tables, gpu_gb * GB, args.share))
        print(f"{gpus} GPUs of {gpu_gb:g} GB, {args.share:.0%} of each for tables, batch {args.batch:,}")
        for name, traffic in (
            ("row-wise", row_wise(tables, args.batch, gpus)),
            ("table-wise", table_wise(tables, args.batch, gpus)),
        ):
            seconds = traffic.total * 8 / (args.gbit * 1e9)
            ids, forward, backward = (part / 1e6 for part in dataclasses.astuple(traffic))
            parts = f"ids {ids:7.2f}, vectors {forward:7.2f}, gradients {backward:7.2f} MB"
            print(
                f"  {name:10}  {parts}: {traffic.total / 1e6:7.2f} MB, {seconds * 1e3:6.2f} ms at {args.gbit:g} Gbit/s"
            )
        received = copies(tables, args.batch, gpus)
        print(
            f"  {'copies':10}  touched rows {received / 1e6:.2f} MB: {received * 8 / (args.gbit * 1e9) * 1e3:.2f} ms\n"
        )


if __name__ == "__main__":
    main()
