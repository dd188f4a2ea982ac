"""Writes the files that serve a repository with Docker Compose or Kubernetes."""

import shutil
from pathlib import Path

from polyrank.errors import ConfigError
from polyrank.staging import staged_directory

from .container import check_release
from .servable import servable_models

FILES = Path(__file__).parent / "deploy"
_DEFAULT_RELEASE = "26.07"
"""The release that the files name as they are."""


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
        RepositoryError: The repository holds no finished model.
        OutputError: `target` exists, or cannot be written.
    """
    check_release(release)
    servable_models(repository)
    settings = f"TRITON_RELEASE={release}\nMODEL_REPOSITORY={_quoted(repository.absolute())}\n"
    with staged_directory(target) as folder:
        shutil.copytree(FILES, folder, dirs_exist_ok=True)
        (folder / ".env").write_text(settings)
        image = folder / "kubernetes" / "kustomization.yaml"
        image.write_text(image.read_text().replace(f"{_DEFAULT_RELEASE}-py3", f"{release}-py3"))
    return f"deployment files in {target}; next: cd {target} && docker compose up, or kubectl apply -k kubernetes"


def _quoted(path: Path) -> str:
    """Return a value of an `.env` file; Docker Compose takes what stands between single quotes as it is."""
    if "'" in str(path) or "\n" in str(path):
        raise ConfigError(
            f"docker compose cannot read a repository path with a quote or a line end: {str(path)!r}; rename it"
        )
    return f"'{path}'"
