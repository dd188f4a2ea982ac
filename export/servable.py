"""What becomes a version of one model: its files, how it runs, and the answers that prove it."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import onnx

from polyrank.card import CARD_FILE
from polyrank.errors import RepositoryError
from polyrank.run_record import RUN_FILE, RunRecord
from polyrank.signature import RAW_SUFFIX, REQUEST_SUFFIX, Signature

from .bundle import DATA_FILE, GOLDEN_FILE, MODEL_FILE, PARITY_FILE, SIGNATURE_FILE, Bundle, Golden
from .graphs import has_own_data, load_graph, tensors_of
from .model_config import config_pbtxt, signature_text
from .model_directory import VersionRecord, require_model_name
from .raw_model import raw_config_pbtxt, raw_golden
from .serving_options import ServingOptions


@dataclasses.dataclass(frozen=True)
class Servable:
    """A model that is to be published.

    Attributes:
        name: of the model in the repository.
        files: what goes into the version folder, by name; `model.onnx` is one, `model.onnx.data` its large weights.
        graph: of the model file.
        golden: rows and answers that prove its graph.
        config: text of config.pbtxt.
        record: how the version comes about.
        is_linked: whether the files become hard links, since they never change.
        asked: gives rows and answers that prove it where it is served, if those are not the golden ones.
    """

    name: str
    files: Mapping[str, Path]
    graph: onnx.ModelProto
    golden: Golden
    config: str
    record: VersionRecord
    is_linked: bool = False
    asked: Callable[[], Golden] | None = None

    def live_golden(self) -> Golden:
        """Give rows and answers that prove the model where it is served."""
        return self.golden if self.asked is None else self.asked()


def servables_of(bundle: Bundle, name: str, options: ServingOptions) -> list[Servable]:
    """Return the models that a bundle is published as: one for each graph, and the raw one where options ask for it.

    Raises:
        RepositoryError: a name is no model name, or the bundle is damaged, or its graphs do not belong together.
    """
    _require_whole(bundle)
    bundles = {name: bundle} | ({} if bundle.requests is None else {name + REQUEST_SUFFIX: bundle.requests})
    if options.raw:
        bundles[name + RAW_SUFFIX] = bundle
    for each in bundles:
        require_model_name(each)
    record = VersionRecord(published=datetime.now(UTC), options=options, models=tuple(bundles))
    return [servable_in(own, each, record) for each, own in bundles.items()]


def _require_whole(bundle: Bundle) -> None:
    """Refuse a bundle without its evidence, and graphs of two exports."""
    own, other = bundle.signature, bundle.requests
    if own.request is not None:
        raise RepositoryError(f"{bundle.path} is a part of a bundle, over requests; publish the folder it is in")
    for each in [bundle] if other is None else [bundle, other]:
        each.parity()
        RunRecord.load(each.path)
    if other is None:
        return
    if other.signature.request is None:
        raise RepositoryError(f"{other.path} holds no graph over requests; export the run anew")
    for name in ("run_id", "triton", "onnxruntime", "precision"):
        found = getattr(own, name), getattr(other.signature, name)
        if found[0] != found[1]:
            raise RepositoryError(
                f"{bundle.path} holds graphs of two exports: {name} is {found[0]}, and {found[1]} of the one over "
                f"requests; export the run anew"
            )


def servable_in(bundle: Bundle, name: str, record: VersionRecord, *, is_linked: bool = False) -> Servable:
    """Take a model out of a bundle, or out of a version folder, which is a bundle with a record.

    Raises:
        RepositoryError: it is damaged.
    """
    names = (SIGNATURE_FILE, GOLDEN_FILE, PARITY_FILE, RUN_FILE, CARD_FILE)
    files = {file.name: file for file in bundle.model_files}
    files |= {each: bundle.path / each for each in names if (bundle.path / each).is_file()}
    graph = read_graph(bundle)
    is_raw = name == record.models[0] + RAW_SUFFIX
    config = (raw_config_pbtxt if is_raw else config_pbtxt)(graph, name, record.options)
    asked = functools.partial(raw_golden, bundle) if is_raw else None
    return Servable(name, files, graph, bundle.golden(), config, record, is_linked, asked)


def read_graph(bundle: Bundle) -> onnx.ModelProto:
    """Read the graph of a bundle.

    Raises:
        RepositoryError: it cannot be read, is no ONNX file, its signature is not the bundle's, or it keeps weights
            elsewhere.
    """
    graph = load_graph(bundle.model_file, "export the run anew")
    for tensor in tensors_of(graph.graph):
        if not has_own_data(tensor, DATA_FILE):
            raise RepositoryError(f"{bundle.model_file} keeps weights outside of {DATA_FILE}; export the run anew")
    # As they are understood: a bundle of an earlier version of Polyrank writes fewer keys.
    if Signature.from_json(signature_text(graph)) != bundle.signature:
        raise RepositoryError(f"{bundle.path}: signature.json is not that of {MODEL_FILE}; export the run anew")
    return graph
