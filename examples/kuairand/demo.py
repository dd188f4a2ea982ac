"""The whole path on real logs: train, export, publish, serve, score the validation day through the server, and report.

Run it with `make demo`, or `python examples/kuairand/demo.py --out build/demo`.
"""

import argparse
import contextlib
import fcntl
import logging
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pyarrow import parquet as pq

import polyrank as pr
from polyrank.errors import OutputError
from polyrank.export import ExportOptions, ServingOptions
from polyrank.export.parity import TOLERANCE, difference
from polyrank.export.request_speed import request_speed
from polyrank.metrics import evaluate, headline
from polyrank.models import TrainedRanker
from polyrank.models.trained import predict
from polyrank.reporting import write_report
from polyrank.signature import Precision
from polyrank.train.datasets import kuairand
from polyrank.train.preparing import prepare

if TYPE_CHECKING:
    import pyarrow as pa

HERE = Path(__file__).parent
REQUEST_ROWS = 100
REQUESTS = 500
ITEMS = 1000
RESULTS = ("run", "bundle", "bundle.failed", "bundle-int8", "bundle-int8.failed", "model_repository")
FILES = ("logs.parquet", "evaluation.json", "report.html")


def main() -> int:
    """Run every step; return 0 when the server's answers are those of training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=Path("build/demo"), help="where results go; those of an earlier demo are replaced"
    )
    parser.add_argument("--rows", type=int, help="use only the newest rows; the last day validates")
    args = parser.parse_args()
    logging.basicConfig(format="  %(message)s", stream=sys.stderr)
    logging.getLogger("polyrank").setLevel(logging.INFO)
    try:
        return demo(args.out, args.rows)
    except pr.PolyrankError as err:
        print(f"polyrank: {err}", file=sys.stderr)
        return 1


def demo(out: Path, rows: int | None) -> int:
    """Train, export, publish, serve, compare."""
    with only_one(out):
        for name in RESULTS:
            shutil.rmtree(out / name, ignore_errors=True)
        for name in FILES:
            (out / name).unlink(missing_ok=True)
        return run_all(out, rows)


@contextlib.contextmanager
def only_one(out: Path) -> Iterator[None]:
    """Make the output directory and keep other demos out of it; the lock ends with the process at the latest."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as err:
        raise OutputError(f"cannot write {out}: {(err.strerror or str(err)).lower()}") from err
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            raise OutputError(f"another demo is writing to {out}; wait for it, or choose another --out") from err
        yield
    finally:
        os.close(descriptor)


def run_all(out: Path, rows: int | None) -> int:
    """Take every step of the path."""
    repository = out / "model_repository"
    schema = pr.Schema.load(HERE / "schema.toml")
    config = pr.TrainConfig.load(HERE / "train.toml")
    with step("load"):
        logs = kuairand.load(HERE)
        logs = logs if rows is None else logs.slice(max(0, logs.num_rows - rows))
        pq.write_table(logs, out / "logs.parquet")
    with step("train"):
        run = pr.fit(schema, logs, out=out / "run", config=config)
    with step("export"):
        bundle = pr.export_onnx(run.path, out=out / "bundle")
    with step("int8"):
        eight_bits = ExportOptions(precision=Precision(embeddings="int8"), requests=None)
        small = pr.export_onnx(run.path, out=out / "bundle-int8", options=eight_bits)
    with step("publish"):
        # Both are live, so that they can be compared; who names no version is answered by the newest, the exact one.
        for each in (small, bundle):
            pr.publish(each, repository, name="kuairand", options=ServingOptions(latest_versions=2))
    with contextlib.ExitStack() as stack:
        with step("serve"):
            server = stack.enter_context(pr.serve(repository))
            ranker = stack.enter_context(pr.Ranker(server.url))
        ok = compare(ranker, schema, logs, run, config)
    tell_export(bundle, small)
    with step("evaluate"):
        found = pr.evaluate_model(run.path, out / "logs.parquet", validation_of=run.path)
        found.save(out / "evaluation.json")
    with step("report"):
        write_report([run.path, bundle.path, small.path, out / "evaluation.json"], out / "report.html")
    print(f"\nThe server has stopped. Start it again: {command()} serve {repository}")
    print(f"See what it ranks, in a browser: {command()} demo --web --folder {out}")
    print(f"How good it is, for whom, and why to trust it: {out / 'report.html'}")
    return 0 if ok else 1


def command() -> str:
    """Return what calls the polyrank of this Python from the current folder."""
    here, script = Path.cwd(), Path(sys.executable).with_name("polyrank")
    if not script.exists():
        return f"{sys.executable} -m polyrank"
    return str(script.relative_to(here) if script.is_relative_to(here) else script)


def compare(ranker: pr.Ranker, schema: pr.Schema, logs: "pa.Table", run: pr.Run, config: pr.TrainConfig) -> bool:
    """Score the validation rows through the server and offline; print both, and the latency."""
    data = prepare(schema, logs, config)
    validation, encoded = logs.take(data.validation.rows), data.validation.read()
    with step("score"):
        scores = ranker.score(validation)
    served = {name: scores[name].to_numpy() for name in scores.column_names}
    offline = predict(TrainedRanker.load(run.path).model, encoded.batch)
    metrics = evaluate(data.schema, served, encoded.labels, encoded.groups).values
    print(
        f"\n{len(validation):,} rows of the last day, scored offline and through Triton (version {ranker.version}):\n"
    )
    print(f"{'task':<12} {'metric':<6} {'offline':>10} {'served':>10}   largest difference of a score")
    ok = True
    for task, values in headline(schema, run.metrics).items():
        gap = difference(served[task], offline[task])
        ok &= gap <= TOLERANCE
        for name, value in values.items():
            print(f"{task:<12} {name:<6} {value:>10.6f} {metrics[task][name]:>10.6f}   {gap:.1e}")
            ok &= bool(np.isclose(value, metrics[task][name], rtol=0.0, atol=TOLERANCE, equal_nan=True))
    p50, p99 = latency_ms(ranker, validation)
    size = min(REQUEST_ROWS, len(validation))
    print(f"\n{REQUESTS} requests of {size} rows, encoding included: p50 {p50:.2f} ms, p99 {p99:.2f} ms")
    if not ok:
        print("polyrank: the server's answers are not those of training", file=sys.stderr)
    return ok


def tell_export(bundle: pr.Bundle, small: pr.Bundle) -> None:
    """Print the proof of the export, what a graph over requests saves, and what tables of 8 bits save and lose."""
    parity = bundle.parity()
    calls = len({(entry.rows, entry.batch_size) for entry in parity.differences})
    print(
        f"\nPyTorch against ONNX Runtime {parity.onnxruntime}, {calls} batches: largest difference "
        f"{parity.worst.difference:.1e} (limit {parity.tolerance:.0e})"
    )
    speed = request_speed(bundle, ITEMS)
    print(
        f"one user with {ITEMS:,} items, one thread: {1e3 * speed.rows_s:.2f} ms as rows, "
        f"{1e3 * speed.request_s:.2f} ms as a request, {speed.ratio:.1f} times as fast"
    )
    sizes = [each.model_file.stat().st_size for each in (bundle, small)]
    losses = (f"{each.task} {each.metric} {each.before:.4f} to {each.after:.4f}" for each in small.parity().losses)
    print(
        f"embeddings in 8 bits: {sizes[0] / 1e6:.1f} MB to {sizes[1] / 1e6:.1f} MB, {sizes[0] / sizes[1]:.1f} times "
        f"smaller; on the run's sample of validation rows: {', '.join(losses)}"
    )


def latency_ms(ranker: pr.Ranker, rows: "pa.Table") -> tuple[float, float]:
    """Time single requests from an Arrow table to scores; return p50 and p99 in milliseconds."""
    times = []
    for number in range(REQUESTS):
        request = rows.slice(number * REQUEST_ROWS % max(1, len(rows) - REQUEST_ROWS), REQUEST_ROWS)
        start = time.perf_counter()
        ranker.score(request)
        times.append(1e3 * (time.perf_counter() - start))
    return float(np.percentile(times, 50)), float(np.percentile(times, 99))


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """Say what happens and how long it took."""
    start = time.perf_counter()
    yield
    print(f"{name:<8} {time.perf_counter() - start:6.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
