"""What smaller numbers save, cost and gain, and how long an export takes.

    python benchmarks/precision.py quality [LOGS SCHEMA CONFIG]   every choice on a trained ranker: docs/export.md
    python benchmarks/precision.py speed [--rows 8000000]         tables larger than the cache
    python benchmarks/precision.py export                         seconds of an export of 50 MB, parity included

`quality` takes the KuaiRand example when it is given nothing. `speed` looks random rows of a table up: fp32, fp16 and
int8 take turns, in ONNX Runtime on one thread.
"""

import argparse
import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from contests import report
from contests.verbs import verb

import polyrank
from polyrank.encoder import Batch
from polyrank.export import export_onnx
from polyrank.export.answers import open_session
from polyrank.export.exporting import sign
from polyrank.export.graph import build_graph
from polyrank.export.precision import embeddings_fp16, embeddings_int8
from polyrank.export.releases import resolve_target
from polyrank.models import ModelConfig, MultiTaskRanker, TrainedRanker
from polyrank.schema import Schema, toml_text
from polyrank.train import TrainConfig

EXAMPLE = Path(__file__).parents[1] / "examples" / "kuairand"
BATCH_SIZES = (1, 100, 1000)
SLOTS = 26
ROUNDS, ROUND_S = 25, 0.05


def main() -> None:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("quality", "speed", "export"))
    parser.add_argument("files", nargs="*", help="of quality: logs, schema and configuration")
    parser.add_argument("--rows", type=int, help="of the table (8,000,000 for speed, 780,000 for export)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.what == "quality":
        quality(*args.files)
    elif args.what == "speed":
        speed(args.rows or 8_000_000)
    else:
        export(args.rows or 780_000)


def quality(logs: str | None = None, schema: str | None = None, config: str | None = None) -> None:
    """Train a ranker and print what `polyrank export --explore` says."""
    with tempfile.TemporaryDirectory() as folder:
        if logs is None:
            logs = str(Path(folder, "logs.parquet"))
            verb("dataset", "kuairand", str(EXAMPLE), "--out", logs)
        schema, config = schema or str(EXAMPLE / "schema.toml"), config or str(EXAMPLE / "train.toml")
        run = str(Path(folder, "run"))
        verb("train", logs, "--schema", schema, "--config", config, "--out", run)
        verb("export", run, "--explore")


def speed(num_rows: int) -> None:
    """Time lookups in a table of 16 numbers a row."""
    with random_run(num_rows, SLOTS) as run:
        ranker, target = TrainedRanker.load(run), resolve_target()
        graph = build_graph(ranker, target, sign(ranker, target))
        graphs = {"fp32": graph, "fp16": embeddings_fp16(graph), "int8": embeddings_int8(graph)}
        for name, each in graphs.items():
            each.write(run / f"{name}.onnx")
        sessions = {name: open_session(run / f"{name}.onnx", threads=1) for name in graphs}
        lines = [["rows", *graphs], ["the model", *(f"{each.num_bytes / 1e6:,.0f} MB" for each in graphs.values())]]
        for size in BATCH_SIZES:
            times = {name: [] for name in graphs}
            rng = np.random.default_rng(0)
            for _ in range(ROUNDS):
                batches = [rng.integers(0, 2**62, (size, SLOTS)) for _ in range(max(2, 2000 // size))]
                for name, session in sessions.items():
                    times[name].append(call_us(session, batches))
            lines.append([f"{size:,}", *(f"{np.median(values):,.0f} µs" for values in times.values())])
    print(report.markdown(lines))


def export(num_rows: int) -> None:
    """Time exports of a model with a table of so many rows; the first loads PyTorch's exporter."""
    lines = [["export", "of", "seconds, parity included"]]
    with random_run(num_rows, SLOTS) as run:
        for which in ("the first of a process", "the second", "the third"):
            start = time.perf_counter()
            size = export_onnx(run, out=run.parent / which).model_file.stat().st_size
            lines.append([which, f"{size / 1e6:.0f} MB", f"{time.perf_counter() - start:.0f} s"])
    print(report.markdown(lines))


def call_us(session: object, batches: list[np.ndarray]) -> float:
    """Return the mean time of a call, of the thread's processor time, so that other programs do not count.

    Rows are others each time, so that they are not in the cache.
    """
    start, calls = time.thread_time(), 0
    while time.thread_time() - start < ROUND_S or calls < len(batches):
        session.run(None, {"ids": batches[calls % len(batches)]})
        calls += 1
    return (time.thread_time() - start) / calls * 1e6


@contextlib.contextmanager
def random_run(num_rows: int, slots: int) -> Iterator[Path]:
    """Write a run of random weights: so many categorical features share one table."""
    first = {"name": "f0", "kind": "categorical", "dtype": "int64", "num_buckets": num_rows, "embedding_dim": 16}
    others = [
        {"name": f"f{index}", "kind": "categorical", "dtype": "int64", "shares": "f0"} for index in range(1, slots)
    ]
    tasks = [{"name": name, "kind": "binary", "label": f"is_{name}"} for name in ("click", "like")]
    features = ", ".join(toml_inline(feature) for feature in (first, *others))
    schema = Schema.from_toml(
        f'name = "random"\nfeatures = [{features}]\ntasks = [{", ".join(map(toml_inline, tasks))}]'
    )
    config = ModelConfig(hidden_dims=(128, 64), normalization="none")
    torch.manual_seed(0)
    model = MultiTaskRanker(schema, config).eval()
    rng = np.random.default_rng(0)
    sample = Batch(rng.integers(0, 2**62, (1000, slots)), np.zeros((1000, 0), np.float32))
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "run")
        run.mkdir()
        TrainedRanker.save(run, schema, toml_text(TrainConfig(model=config)), model, sample)
        del model
        yield run


def toml_inline(values: dict[str, object]) -> str:
    """Write an inline table."""
    return "{ " + ", ".join(f"{key} = {value!r}".replace("'", '"') for key, value in values.items()) + " }"


if __name__ == "__main__":
    print(f"polyrank {polyrank.__version__}\n")
    main()
