"""Parity: the run as one graph, which is proven to answer like the trained model."""

import shutil
from typing import TYPE_CHECKING

from polyrank.errors import RepositoryError
from polyrank.loop.cycles import Cycle, History
from polyrank.loop.findings import ParityFound, TrainFound
from polyrank.loop.sections import ExportSection
from polyrank.signature import Precision, Signature

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
        options = options_of(settings)
        bundle = _there(cycle, options)
        if bundle is None:
            bundle = export_onnx(cycle.run, out=cycle.bundle, options=options)
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


def _there(cycle: Cycle, options: "ExportOptions") -> "Bundle | None":
    """Return the bundle of an attempt that was cut off before its record; None where there is none such of the run."""
    from polyrank.export import Bundle

    if not cycle.bundle.is_dir():
        return None
    try:
        bundle = Bundle.load(cycle.bundle)
        if bundle.signature.run_id == cycle.found(TrainFound).run_id and _is_as_asked(bundle, options):
            return bundle
    except RepositoryError:
        pass
    shutil.rmtree(cycle.bundle)
    return None


def _is_as_asked(bundle: "Bundle", options: "ExportOptions") -> bool:
    """Say whether a bundle is what the settings ask for, which may have changed since.

    Raises:
        RepositoryError: a file of it is missing or damaged.
    """
    own, requests = bundle.signature, bundle.requests
    made = None if requests is None else requests.signature.request
    has = None if made is None else (made.combination, made.top_k)
    wants = None if options.requests is None else (options.requests.combination, options.requests.top_k)
    return has == wants and own.precision == options.precision and _is_target(own, options)


def _is_target(own: Signature, options: "ExportOptions") -> bool:
    if options.onnxruntime is not None:
        return own.triton is None and own.onnxruntime == options.onnxruntime
    return own.triton is not None and options.triton in (None, own.triton)
