"""The same repository in the official container of Triton: which release, and which docker command."""

import csv
import io
import logging
import math
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import msgspec

from polyrank.decoding import decode_json
from polyrank.errors import ConfigError, RepositoryError
from polyrank.signature import RAW_BACKEND

from .servable import backends, servable_models
from .server_config import ServerConfig, triton_words

_log = logging.getLogger(__name__)

RAW_IMAGE = "tritonserver-polyrank"
"""What raw/Dockerfile calls the image of Triton with the backend of raw models."""
IMAGE = "nvcr.io/nvidia/tritonserver"
REPOSITORY = "/models"
"""Where the container sees the repository."""


class _Target(msgspec.Struct):
    """What a signature says of the server that its model was exported for."""

    triton: str | None = None
    onnxruntime: str | None = None


def triton_release(repository: Path, models: Sequence[str] | None = None) -> str:
    """Return the newest Triton release that a model of the repository was exported for, such as 26.07.

    Args:
        repository: Triton model repository.
        models: The models that count; None takes every finished one.

    Raises:
        RepositoryError: The repository has no finished model, a signature cannot be read, or none names a release.
    """
    names = servable_models(repository, models)
    releases = {target.triton for name in names if (target := _target(repository / name)).triton is not None}
    if not releases:
        raise RepositoryError(
            f"no model of {repository} ({', '.join(names)}) says which Triton it is for; give --triton-release"
        )
    return max(releases, key=lambda release: tuple(int(part) for part in release.split(".")))


def check_release(release: str) -> None:
    """Refuse what is no release.

    Raises:
        ConfigError: It is no year and month.
    """
    if not re.fullmatch(r"\d\d\.\d\d", release, re.ASCII):
        raise ConfigError(f"--triton-release must be a year and a month such as 26.07, got {release!r}")


def _target(model: Path) -> _Target:
    """Return what the newest version says that has a signature."""
    versions = sorted((each for each in model.iterdir() if each.name.isdigit()), key=lambda each: int(each.name))
    for version in reversed(versions):
        file = version / "signature.json"
        if file.is_file():
            try:
                return decode_json(file.read_bytes(), _Target)
            except (OSError, msgspec.DecodeError) as err:
                raise RepositoryError(f"{file} cannot be read: {err}; publish the bundle again") from err
    return _Target()


def raw_models(repository: Path, names: Sequence[str]) -> list[str]:
    """Return which of these models need a backend that the image of Triton lacks.

    Raises:
        RepositoryError: A configuration is empty, or cannot be read.
    """
    return [name for name, backend in backends(repository, names).items() if backend == RAW_BACKEND]


def docker_command(repository: Path, models: Sequence[str] | None, config: ServerConfig, release: str) -> str:
    """Return the docker command that serves a repository as the embedded server does, for a shell.

    A warning tells of an image that has to be built first.

    Args:
        repository: Triton model repository.
        models: Names of the models to load; None loads every finished one.
        config: How it listens. A port of 0 lets Docker choose.
        release: Triton release of the image.

    Raises:
        RepositoryError: The repository holds no finished model, or not the one asked for, or a configuration cannot be
            read.
        ConfigError: The release is none.
    """
    check_release(release)
    names = servable_models(repository.absolute(), models)
    image = _image(raw_models(repository, names), release)
    words = ["docker", "run", "--rm", f"--stop-timeout={math.ceil(config.grace_s) + 5}", "--shm-size=1g"]
    words += ["--gpus=all"] if config.accelerator == "gpu" else []
    words += [f"--publish={each}" for each in _published(config)]
    tls = config.tls.files if config.tls else {}
    mounts = {repository.absolute(): REPOSITORY} | {file: str(_inside(name)) for name, file in tls.items()}
    words += [f"--mount={_mount(source, target)}" for source, target in mounts.items()]
    words += [image, "tritonserver", *_triton(names, config)]
    return shlex.join(words)


def _image(raw: Sequence[str], release: str) -> str:
    """Return the image that serves models, of which `raw` are raw."""
    if not raw:
        return f"{IMAGE}:{release}-py3"
    image = f"{RAW_IMAGE}:{release}"
    _log.warning(
        "Triton's image lacks the backend of %s: build %s first, as raw/Dockerfile of --write-deploy DIR says",
        ", ".join(raw),
        image,
    )
    return image


def _published(config: ServerConfig) -> list[str]:
    ports = {8000: config.http_port, 8001: config.grpc_port, 8002: config.metrics_port}
    if config.is_http_local:  # within the container
        del ports[8000]
    return [f"{config.host}:{outside or ''}:{inside}" for inside, outside in ports.items()]


def _triton(names: Sequence[str], config: ServerConfig) -> list[str]:
    return [
        f"--model-repository={REPOSITORY}",
        "--model-control-mode=explicit",
        *(f"--load-model={name}" for name in names),
        "--disable-auto-complete-config",
        *(["--http-address=127.0.0.1"] if config.is_http_local else ()),
        *triton_words(config, {name: _inside(name) for name in (config.tls.files if config.tls else ())}),
    ]


def _inside(name: str) -> Path:
    """Return where the container sees a file of TLS."""
    return Path(f"/tls/{name}.pem")


def _mount(source: Path, target: str) -> str:
    """Return a read-only bind mount as Docker reads it: a line of CSV, so that any path will do."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(["type=bind", f"source={source}", f"target={target}", "readonly"])
    return line.getvalue()
