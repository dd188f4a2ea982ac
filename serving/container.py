"""The same repository in the official container of Triton: which release, and which docker command."""

import csv
import io
import math
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import msgspec

from polyrank.errors import ConfigError, RepositoryError

from .servable import servable_models
from .server_config import ServerConfig
from .triton_options import ServerTls, option_words, tls_words

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
                return msgspec.json.decode(file.read_bytes(), type=_Target)
            except (OSError, msgspec.DecodeError) as err:
                raise RepositoryError(f"{file} cannot be read: {err}; publish the bundle again") from err
    return _Target()


def docker_command(repository: Path, models: Sequence[str] | None, config: ServerConfig, release: str) -> str:
    """Return the docker command that serves a repository as the embedded server does, for a shell.

    Args:
        repository: Triton model repository.
        models: Names of the models to load; None loads every finished one.
        config: How it listens. A port of 0 lets Docker choose.
        release: Triton release of the image.

    Raises:
        RepositoryError: The repository holds no finished model, or not the one asked for.
        ConfigError: The release is none.
    """
    check_release(release)
    names = servable_models(repository.absolute(), models)
    words = ["docker", "run", "--rm", f"--stop-timeout={math.ceil(config.grace_s) + 5}", "--shm-size=1g"]
    words += ["--gpus=all"] if config.accelerator == "gpu" else []
    words += [f"--publish={each}" for each in _published(config)]
    tls = config.tls.files if config.tls else {}
    mounts = {repository.absolute(): REPOSITORY} | {file: f"/tls/{name}.pem" for name, file in tls.items()}
    words += [f"--mount={_mount(source, target)}" for source, target in mounts.items()]
    words += [f"{IMAGE}:{release}-py3", "tritonserver", *_triton(names, config)]
    return shlex.join(words)


def _published(config: ServerConfig) -> list[str]:
    ports = {8000: config.http_port, 8001: config.grpc_port, 8002: config.metrics_port}
    if config.tls:  # HTTP, which has no TLS, stays within the container
        del ports[8000]
    return [f"{config.host}:{outside or ''}:{inside}" for inside, outside in ports.items()]


def _triton(names: Sequence[str], config: ServerConfig) -> list[str]:
    return [
        f"--model-repository={REPOSITORY}",
        "--model-control-mode=explicit",
        *(f"--load-model={name}" for name in names),
        "--disable-auto-complete-config",
        f"--exit-timeout-secs={max(1, math.ceil(config.grace_s))}",
        f"--allow-gpu-metrics={'true' if config.accelerator == 'gpu' else 'false'}",
        f"--log-verbose={config.log_verbose}",
        *(_secured(config.tls) if config.tls else ()),
        *option_words(config.triton_options),
    ]


def _secured(tls: ServerTls) -> list[str]:
    inside = {name: Path(f"/tls/{name}.pem") for name in tls.files}
    return ["--http-address=127.0.0.1", *tls_words(inside)]


def _mount(source: Path, target: str) -> str:
    """Return a read-only bind mount as Docker reads it: a line of CSV, so that any path will do."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(["type=bind", f"source={source}", f"target={target}", "readonly"])
    return line.getvalue()
