"""Writes the files that serve a repository with Docker Compose or Kubernetes."""

import shutil
from pathlib import Path

from polyrank.errors import ConfigError
from polyrank.staging import staged_directory

from .container import IMAGE, RAW_IMAGE, check_release, raw_models
from .servable import servable_models

FILES = Path(__file__).parent / "deploy"
_DEFAULT_RELEASE = "26.07"
"""The release that the files name as they are."""

_RELEASE = "${TRITON_RELEASE:?such as 26.07}"
_BUILT = f"""\
    # Triton's image lacks the backend of <name>_raw; raw/Dockerfile says which file must lie beside it.
    build:
      context: raw
      args:
        RELEASE: {_RELEASE}
        RUNTIME: onnxruntime-gpu
    image: {RAW_IMAGE}:{_RELEASE}
"""
_BUILT_WITHOUT_GPU = """\
    build:
      args:
        RUNTIME: onnxruntime
"""
_PUSHED = f"""\
  # Triton's image lacks the backend of <name>_raw: build this one as raw/Dockerfile says, push it to a registry that
  # the cluster reads, and name it here.
  - name: {IMAGE}
    newName: registry.example/{RAW_IMAGE}
    newTag: "{{release}}"
"""


def write_deployment(target: Path, repository: Path, release: str) -> str:
    """Write the deployment files for one repository; all of them or none.

    Args:
        target: The folder to make.
        repository: Triton model repository.
        release: Triton release of the image, such as 26.07.

    Returns:
        What to run next, in one line.

    Raises:
        ConfigError: The release is none, or Docker Compose cannot read the path of the repository.
        RepositoryError: The repository holds no finished model, or a configuration cannot be read.
        OutputError: `target` exists, or cannot be written.
    """
    check_release(release)
    raw = raw_models(repository, servable_models(repository))
    settings = f"TRITON_RELEASE={release}\nMODEL_REPOSITORY={_quoted(repository.absolute())}\n"
    with staged_directory(target) as folder:
        shutil.copytree(FILES, folder, dirs_exist_ok=True)
        (folder / ".env").write_text(settings)
        for name in ("kubernetes/kustomization.yaml", "raw/Dockerfile"):
            _replace(folder / name, _DEFAULT_RELEASE, release)
        if raw:
            _take_own_image(folder, release)
    return f"deployment files in {target}; next: {_next(target, raw)}"


def _next(target: Path, raw: list[str]) -> str:
    if not raw:
        return f"cd {target} && docker compose up, or kubectl apply -k kubernetes"
    return (
        f"make the wheel for {target / 'raw'} as the Dockerfile there says, since Triton's image lacks the backend of "
        f"{', '.join(raw)}; then cd {target} && docker compose up --build, or push the image, name it in "
        f"kubernetes/kustomization.yaml, and kubectl apply -k kubernetes"
    )


def _take_own_image(folder: Path, release: str) -> None:
    """Have all files take the image of raw/Dockerfile in place of Triton's."""
    _replace(folder / "compose.yaml", f"    image: {IMAGE}:{_RELEASE}-py3\n", _BUILT)
    _replace(folder / "compose.cpu.yaml", "  triton:\n", f"  triton:\n{_BUILT_WITHOUT_GPU}")
    named = f"  - name: {IMAGE}\n    newTag: {release}-py3\n"
    _replace(folder / "kubernetes" / "kustomization.yaml", named, _PUSHED.format(release=release))


def _replace(file: Path, old: str, new: str) -> None:
    file.write_text(file.read_text().replace(old, new))


def _quoted(path: Path) -> str:
    """Return a value of an `.env` file; Docker Compose takes what stands between single quotes as it is."""
    if "'" in str(path) or "\n" in str(path):
        raise ConfigError(
            f"docker compose cannot read a repository path with a quote or a line end: {str(path)!r}; rename it"
        )
    return f"'{path}'"
