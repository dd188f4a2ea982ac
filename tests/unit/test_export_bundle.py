import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from polyrank.errors import RepositoryError
from polyrank.export import Bundle


@pytest.fixture
def bundle(tmp_path: Path, toy_bundle: Path) -> Path:
    return Path(shutil.copytree(toy_bundle, tmp_path / "bundle"))


@pytest.mark.parametrize("name", ["model.onnx", "signature.json", "golden.npz"])
def test_missing_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(
        RepositoryError, match=rf"/bundle is not a bundle: {name} is missing; make one with: polyrank e"
    ):
        Bundle.load(bundle)


def test_absent_directory_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match=r"/none is not a bundle: model\.onnx is missing"):
        Bundle.load(tmp_path / "none")


def test_model_file_lies_in_the_bundle(bundle: Path) -> None:
    assert Bundle.load(str(bundle)).model_file == bundle / "model.onnx"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null"])
def test_damaged_signature_is_refused(bundle: Path, text: str) -> None:
    (bundle / "signature.json").write_text(text)
    with pytest.raises(
        RepositoryError, match=r"signature\.json: the model's signature cannot be read: .+; export the model anew$"
    ):
        Bundle.load(bundle)


@pytest.mark.parametrize("change", [{"format_version": 2}, {"hashing": {"name": "xxh3", "version": 9, "seed": 1}}])
def test_signature_of_a_newer_version_is_refused(bundle: Path, change: dict[str, object]) -> None:
    stored = json.loads((bundle / "signature.json").read_text())
    (bundle / "signature.json").write_text(json.dumps(stored | change))
    with pytest.raises(
        RepositoryError, match=r"signature\.json: the model's signature has format .* this Polyrank knows format 1 and "
    ):
        Bundle.load(bundle)


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    middle = content.index(b"NUMPY") + 200
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


def without_answers(content: bytes) -> bytes:
    return _rebuilt(content, lambda name: not name.startswith("output/"))


def without_digest(content: bytes) -> bytes:
    return _rebuilt(content, lambda name: not name.startswith("sha256/"))


def one_array(_content: bytes) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    return stream.getvalue()


def pickled(_content: bytes) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, ids=np.array([{"a": 1}], object))
    return stream.getvalue()


def _rebuilt(content: bytes, keep: Callable[[str], bool]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            if keep(name):
                new.writestr(name, old.read(name))
    return stream.getvalue()


@pytest.mark.parametrize(
    "damage",
    [
        truncated,
        flipped,
        without_answers,
        without_digest,
        one_array,
        pickled,
        lambda _: b"",
        lambda _: b"not an archive",
    ],
)
def test_damaged_golden_file_is_refused(bundle: Path, damage: Callable[[bytes], bytes]) -> None:
    file = bundle / "golden.npz"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(RepositoryError, match=r"/bundle/golden\.npz is damaged; export the run anew$"):
        Bundle.load(bundle).golden()
