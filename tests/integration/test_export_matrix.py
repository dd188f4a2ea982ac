"""Architectures, kinds of tasks and kinds of features, in each minor version of ONNX Runtime that pip has from 1.20 on.

All kinds of tasks are in each schema. Of the product of architectures, interactions, normalisations and features each
pair of two values is there once (a greedy covering): 1,188 combinations become 139. Each goes through parity here, and
the first of each architecture through each ONNX Runtime, which pip installs into the cache on first use. All of it
takes half an hour on two busy cores.
"""

import itertools
from pathlib import Path
from typing import Any

import pytest
from artefacts.runs import EVERY_TASK, FEATURES, make_run, make_schema_of

from polyrank.export import ExportOptions, export_onnx
from polyrank.export.parity import expectations
from polyrank.export.verification import verify_with
from polyrank.models import ModelConfig, TrainedRanker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ARCHITECTURES = ("shared_bottom", "mmoe", "ple", "esmm", "aitm", "stem", "single_task")
INTERACTIONS = ("none", "dcn_v2", "deepfm", "fm")
NORMALIZATIONS = ("batch", "layer", "none")
VERSIONS = ("1.20", "1.21", "1.22", "1.23", "1.24", "1.25", "1.26", "1.27", "1.28", "1.29", "1.30", "1.31", "1.32")
Case = tuple[str, str, str, str]


def pairwise() -> list[Case]:
    """Cover every pair of values of two different factors, each new case with as many new pairs as it can."""
    product = itertools.product(ARCHITECTURES, INTERACTIONS, NORMALIZATIONS, FEATURES)
    cases = [case for case in product if case[1] != "fm" or case[0] == "shared_bottom"]  # it has no layers
    left = {pair for case in cases for pair in pairs_of(case)}
    chosen = []
    while left:
        best = max(cases, key=lambda case: len(left & pairs_of(case)))
        chosen.append(best)
        left -= pairs_of(best)
    return chosen


def pairs_of(case: Case) -> set[tuple[tuple[int, str], ...]]:
    return set(itertools.combinations(enumerate(case), 2))


def exported(case: Case, folder: Path) -> tuple[TrainedRanker, Path]:
    architecture, interaction, normalization, features = case
    options: dict[str, Any] = {"architecture": architecture, "normalization": normalization}
    options |= {} if interaction == "none" else {"interaction": interaction}
    config = ModelConfig(hidden_dims=(16, 8), tower_dims=(4,), **options)
    schema = make_schema_of(*FEATURES[features], tasks=EVERY_TASK)
    ranker = make_run(folder / "run", schema, config=config)
    target = ExportOptions(onnxruntime=VERSIONS[0])
    return ranker, export_onnx(folder / "run", out=folder / "bundle", options=target).model_file


CASES = pairwise()


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_every_pair_of_kinds_passes_parity(case: Case, tmp_path: Path) -> None:
    assert exported(case, tmp_path)[1].is_file()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[TrainedRanker, Path]]:
    firsts = [next(case for case in CASES if case[0] == architecture) for architecture in ARCHITECTURES]
    return [exported(case, tmp_path_factory.mktemp("matrix")) for case in firsts]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_onnxruntime_answers_alike(version: str, models: list[tuple[TrainedRanker, Path]]) -> None:
    for ranker, model in models:
        parity = verify_with(version, model, expectations(ranker), tolerance=1e-5)
        assert parity.onnxruntime.startswith(version)
        parity.require()
