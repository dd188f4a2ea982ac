"""Parity: the run as one graph, which is proven to answer like the trained model."""

import shutil
from typing import TYPE_CHECKING

from polyrank.errors import RepositoryError
from polyrank.loop.cycles import Cycle, History
from polyrank.loop.findings import ParityFound, TrainFound
from polyrank.loop.sections import ExportSection
from polyrank.signature import Precision

from .protocol import Done

if TYPE_CHECKING:
    from polyrank.export import Bundle, ExportOptions


class ParityStep:
    """Exports."""

    name = "parity"

    def run(self, cycle: Cycle, history: History) -> Done:  # noqa: ARG002 (that of every step)
        """Export, unless the bundle is there."""
        from polyrank.export import export_onnx

        settings = cycle.loop.settings.export
        bundle = _there(cycle)
        if bundle is None:
            bundle = export_onnx(cycle.run, out=cycle.bundle, options=options_of(settings))
        worst, signature = bundle.parity().worst, bundle.signature
        target = f"Triton {signature.triton}" if signature.triton else f"ONNX Runtime {signature.onnxruntime}"
        found = ParityFound(
            outcome="proven",
            reason=f"answers differ from PyTorch by {worst.difference:.1e} at most; for {target}",
            difference=float(worst.difference),
            precision=str(signature.precision),
            target=target,
        )
        return Done(found, (cycle.weights,), (cycle.bundle,))


def options_of(settings: ExportSection) -> "ExportOptions":
    """Return what a run is exported as."""
    from polyrank.export import ExportOptions, RequestOptions

    requests = None if settings.rows_only else RequestOptions(combination=settings.score, top_k=settings.top_k)
    return ExportOptions(
        triton=settings.triton,
        onnxruntime=settings.onnxruntime,
        precision=Precision(embeddings=settings.embeddings, dense=settings.dense, prune_rows=settings.prune_rows),
        requests=requests,
    )


def _there(cycle: Cycle) -> "Bundle | None":
    """Return the bundle of an attempt that was cut off before its record; None where there is none of the run."""
    from polyrank.export import Bundle

    if not cycle.bundle.is_dir():
        return None
    try:
        bundle = Bundle.load(cycle.bundle)
        if bundle.signature.run_id == cycle.found(TrainFound).run_id:
            return bundle
    except RepositoryError:
        pass
    shutil.rmtree(cycle.bundle)
    return None
