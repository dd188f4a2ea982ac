"""The docker command and the deployment files of a repository."""

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml
from artefacts.deployments import compose_schema, read

from polyrank.__main__ import main
from polyrank.errors import ConfigError, OutputError, RepositoryError
from polyrank.serving.container import docker_command, triton_release
from polyrank.serving.deployment import FILES, write_deployment
from polyrank.serving.server_config import ServerConfig

CONFIG = ServerConfig(http_port=8000, grpc_port=8001, metrics_port=8002)


def add(repository: Path, name: str, *releases: str | None, backend: str = "onnxruntime") -> None:
    """Write a finished model with a version for each release that it was exported for."""
    for number, release in enumerate(releases, 1):
        version = repository / name / str(number)
        version.mkdir(parents=True)
        (version / "model.onnx").touch()
        (version / "signature.json").write_text(json.dumps({"triton": release, "opset": 20}))
    (repository / name / "config.pbtxt").write_text(f'name: "{name}"\nbackend: "{backend}"\n')


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "my models, all"
    add(folder, "ranker", "26.07", "26.04")
    add(folder, "bids", "25.11")
    return folder


def words(repository: Path, config: ServerConfig = CONFIG, models: list[str] | None = None) -> list[str]:
    return shlex.split(docker_command(repository, models, config, "26.07"))


def test_release_is_the_newest_that_a_newest_version_asks_for(repository: Path) -> None:
    assert triton_release(repository) == "26.04"
    assert triton_release(repository, ["bids"]) == "25.11"


def test_repository_that_names_no_release_asks_for_one(tmp_path: Path) -> None:
    add(tmp_path, "ranker", None)
    with pytest.raises(
        RepositoryError, match=r"^no model of .* \(ranker\) says which Triton it is for; give --triton-release$"
    ):
        triton_release(tmp_path)


def test_signature_that_cannot_be_read_is_told(repository: Path) -> None:
    (repository / "bids" / "1" / "signature.json").write_text("{")
    with pytest.raises(RepositoryError, match=r"bids/1/signature\.json cannot be read: .*; publish the bundle again$"):
        triton_release(repository)


def test_command_serves_what_the_embedded_server_would(repository: Path) -> None:
    found = words(repository)
    image = found.index("nvcr.io/nvidia/tritonserver:26.07-py3")
    assert found[:3] == ["docker", "run", "--rm"]
    assert {f"--publish=127.0.0.1:{port}:{port}" for port in (8000, 8001, 8002)} <= set(found[:image])
    assert f'--mount=type=bind,"source={repository}",target=/models,readonly' in found[:image]
    assert {"--model-control-mode=explicit", "--load-model=bids", "--load-model=ranker"} <= set(found[image:])
    assert not any("gpus" in word for word in found)


def test_options_of_the_server_are_those_of_the_container(repository: Path) -> None:
    config = ServerConfig(
        host="0.0.0.0",  # noqa: S104 (what is tested)
        grpc_port=9001,
        accelerator="gpu",
        grace_s=30.0,
        triton_options={"http-thread-count": "16"},
    )
    found = words(repository, config, ["bids"])
    assert {"--gpus=all", "--publish=0.0.0.0:9001:8001", "--publish=0.0.0.0::8000", "--stop-timeout=35"} <= set(found)
    assert {"--exit-timeout-secs=30", "--http-thread-count=16", "--load-model=bids"} <= set(found)
    assert "--load-model=ranker" not in found


def test_secured_container_shows_no_plain_http(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pem, key = tmp_path / "a.pem", tmp_path / "a-key.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=a"]
    subprocess.run([*request, "-out", str(pem), "-keyout", str(key)], check=True, capture_output=True)
    files = ["--tls-certificate", str(pem), "--tls-key", str(key)]
    assert main(["serve", str(repository), "--print-docker", *files]) == 0
    found = shlex.split(capsys.readouterr().out)
    assert not any(word.endswith(":8000") for word in found)
    assert f"--mount=type=bind,source={key},target=/tls/key.pem,readonly" in found
    assert {"--grpc-use-ssl=true", "--grpc-server-key=/tls/key.pem", "--http-address=127.0.0.1"} <= set(found)


@pytest.mark.skipif(shutil.which("docker") is None, reason="needs Docker's client")
def test_docker_takes_the_command(repository: Path) -> None:
    nowhere = os.environ | {"DOCKER_HOST": "tcp://127.0.0.1:1"}
    command = docker_command(repository, None, CONFIG, "26.07")
    done = subprocess.run(["sh", "-c", command], env=nowhere, capture_output=True, text=True, check=False)
    assert done.returncode == 125
    assert "Cannot connect to the Docker daemon" in done.stderr


@pytest.mark.parametrize("release", ["26", "latest", "26.07-py3", "2026.07", ""])
def test_release_that_is_none_is_refused(repository: Path, release: str) -> None:
    with pytest.raises(ConfigError, match=r"^--triton-release must be a year and a month such as 26\.07, got '"):
        docker_command(repository, None, CONFIG, release)


def test_command_prints_one_line_and_starts_nothing(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", str(repository), "--print-docker", "--triton-release", "26.07"]) == 0
    output = capsys.readouterr()
    assert output.out == docker_command(repository, None, CONFIG, "26.07") + "\n"
    assert output.err == ""


def test_written_files_are_those_of_the_package_with_release_and_repository(repository: Path, tmp_path: Path) -> None:
    said = write_deployment(tmp_path / "deploy", repository, "25.11")
    assert said.startswith(f"deployment files in {tmp_path}/deploy; next: cd {tmp_path}/deploy && docker compose up")
    written = {file.relative_to(tmp_path / "deploy") for file in (tmp_path / "deploy").rglob("*") if file.is_file()}
    assert written == {file.relative_to(FILES) for file in FILES.rglob("*") if file.is_file()} | {Path(".env")}
    settings = (tmp_path / "deploy" / ".env").read_text()
    assert settings == f"TRITON_RELEASE=25.11\nMODEL_REPOSITORY='{repository}'\n"
    image = yaml.safe_load((tmp_path / "deploy" / "kubernetes" / "kustomization.yaml").read_text())["images"]
    assert image == [{"name": "nvcr.io/nvidia/tritonserver", "newTag": "25.11-py3"}]


@pytest.fixture
def with_raw(repository: Path) -> Path:
    add(repository, "bids_raw", "25.11", backend="polyrank")
    return repository


def test_command_for_raw_models_takes_an_image_that_is_to_be_built(
    with_raw: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert "tritonserver-polyrank:26.07" in words(with_raw)
    (record,) = caplog.records
    assert record.getMessage() == (
        "Triton's image lacks the backend of bids_raw: build tritonserver-polyrank:26.07 first, as raw/Dockerfile of "
        "--write-deploy DIR says"
    )
    caplog.clear()
    assert "nvcr.io/nvidia/tritonserver:26.07-py3" in words(with_raw, models=["bids"])
    assert caplog.records == []


def test_written_files_for_raw_models_take_an_image_that_is_to_be_built(with_raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deploy"
    said = write_deployment(folder, with_raw, "25.11")
    assert f"; next: make the wheel for {folder}/raw as the Dockerfile there says, since Triton's image lacks " in said
    release = "${TRITON_RELEASE:?such as 26.07}"
    compose, without_gpu = read("compose.yaml", folder), read("compose.cpu.yaml", folder)
    for each in (compose, without_gpu):
        jsonschema.validate(each, compose_schema())
    triton = compose["services"]["triton"]
    assert triton["image"] == f"tritonserver-polyrank:{release}"
    assert triton["build"] == {"context": "raw", "args": {"RELEASE": release, "RUNTIME": "onnxruntime-gpu"}}
    assert without_gpu["services"]["triton"]["build"] == {"args": {"RUNTIME": "onnxruntime"}}
    assert read("kubernetes/kustomization.yaml", folder)["images"] == [
        {
            "name": "nvcr.io/nvidia/tritonserver",
            "newName": "registry.example/tritonserver-polyrank",
            "newTag": "25.11",
        }
    ]


def test_dockerfile_of_raw_models_speaks_of_the_folder_it_lies_in(repository: Path, tmp_path: Path) -> None:
    write_deployment(tmp_path / "deploy", repository, "25.11")
    text = (tmp_path / "deploy" / "raw" / "Dockerfile").read_text()
    assert "--wheel-dir . SOURCES" in text
    assert "docker build --tag tritonserver-polyrank:25.11 ." in text
    assert "ARG RELEASE=25.11" in text


def test_printing_and_writing_exclude_one_another(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["serve", str(repository), "--print-docker", "--write-deploy", "deploy"])
    assert "argument --write-deploy: not allowed with argument --print-docker" in capsys.readouterr().err


@pytest.mark.parametrize(
    "given", ["--locked-down", "--model=ranker", "--grpc-port=9001", "--tls-key=k.pem", "--triton-option=a=1"]
)
def test_option_that_written_files_would_lack_is_refused(
    given: str, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["serve", str(repository), "--write-deploy", str(tmp_path / "deploy"), given])
    option = given.split("=", maxsplit=1)[0]
    assert f"argument {option}: not allowed with --write-deploy; leave it out" in capsys.readouterr().err
    assert not (tmp_path / "deploy").exists()


def test_folder_that_exists_is_not_written_into(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "mine").touch()
    with pytest.raises(OutputError, match="deploy already exists"):
        write_deployment(tmp_path / "deploy", repository, "26.07")


def test_path_that_compose_cannot_read_is_refused(tmp_path: Path) -> None:
    add(tmp_path / "it's", "ranker", "26.07")
    with pytest.raises(
        ConfigError, match=r"^docker compose cannot read a repository path with a quote or a line end: "
    ):
        write_deployment(tmp_path / "deploy", tmp_path / "it's", "26.07")
    assert not (tmp_path / "deploy").exists()


def test_command_writes_the_files(repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", str(repository), "--write-deploy", str(tmp_path / "deploy")]) == 0
    assert capsys.readouterr().out.startswith("deployment files in ")
    assert (tmp_path / "deploy" / "compose.yaml").is_file()
