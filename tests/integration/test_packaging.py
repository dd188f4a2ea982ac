"""What is built for others: the wheel, the source archive, and an environment with the client alone."""

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRAIN = "models need PyTorch and safetensors; pip install 'polyrank[train]'"
EXPORT = "export needs onnx; pip install 'polyrank[export,cpu]'"
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a command that must succeed; return what it printed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", folder, ROOT)
    (archive,) = folder.glob("*.tar.gz")
    return archive


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that the source archive alone gives, as for whoever installs it; the checkout has an editable one."""
    folder = tmp_path_factory.mktemp("wheel")
    run(*PIP, "wheel", sdist, "--no-build-isolation", "--no-deps", "-w", folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def client_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment where the wheel and what it requires were installed, and nothing else."""
    folder = tmp_path_factory.mktemp("client")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    run(*PIP, "--python", python, "install", "--constraint", ROOT / "constraints.txt", wheel)
    return python


def sources() -> set[str]:
    """Return the files of the package as they lie in the checkout, with the links followed."""
    package = ROOT / "src" / "polyrank"
    rooms = {room: ROOT / room for room in ("train", "export", "serving")}
    found = {f"polyrank/{path.relative_to(package)}" for path in package.rglob("*") if path.is_file()}
    for room, folder in rooms.items():
        found |= {f"polyrank/{room}/{path.relative_to(folder)}" for path in folder.rglob("*") if path.is_file()}
    kinds = (".py", ".pyi", "py.typed", ".toml", ".yaml", ".json", "Dockerfile", ".html", ".js", ".css", ".svg")
    return {name for name in found if name.endswith(kinds)}


def test_wheel_installs_one_package(names: list[str]) -> None:
    assert {name.split("/")[0] for name in names} == {"polyrank", "polyrank-0.1.0.dist-info"}


def test_wheel_holds_every_source_and_nothing_else(names: list[str]) -> None:
    found = {name for name in names if name.startswith("polyrank/") and not name.endswith(".so")}
    assert found == sources()


def test_wheel_holds_what_is_found_by_path_at_run_time(names: list[str]) -> None:
    backends = {f"polyrank/serving/backends/{name}/model.py" for name in ("onnxruntime", "polyrank")}
    assert {*backends, "polyrank/serving/supervisor.py"} <= set(names)
    assert {"polyrank/serving/deploy/compose.yaml", "polyrank/serving/deploy/kubernetes/deployment.yaml"} <= set(names)


def test_wheel_holds_the_page_of_the_demo(names: list[str]) -> None:
    page = {Path(name).name for name in names if name.startswith("polyrank/serving/web/page/")}
    assert page == {"app.js", "elements.js", "icon.svg", "index.html", "style.css"}


def test_wheel_holds_a_schema_for_every_data_set(names: list[str]) -> None:
    schemas = {Path(name).stem for name in names if name.startswith("polyrank/train/datasets/schemas/")}
    assert schemas == {"adult", "census-income", "kuairand", "movielens", "movielens-users", "storefront"}


def test_wheel_holds_types_and_one_extension(names: list[str]) -> None:
    assert {"polyrank/py.typed", "polyrank/_native.pyi"} <= set(names)
    (extension,) = [name for name in names if name.endswith(".so")]
    assert extension.startswith("polyrank/_native.cpython-")


def test_no_file_of_the_wheel_is_a_link(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert [entry.filename for entry in archive.infolist() if (entry.external_attr >> 28) == 0xA] == []


def test_wheel_requires_the_client_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read("polyrank-0.1.0.dist-info/METADATA").decode()
    required = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:") and "extra ==" not in line]
    assert sorted(line.split()[1].split(">")[0] for line in required) == [
        "msgspec",
        "numpy",
        "pyarrow",
        "tritonclient[grpc]",
    ]


def test_client_environment_has_no_torch(client_python: Path) -> None:
    code = "import importlib.metadata as m; print(*(each.name.lower() for each in m.distributions()))"
    installed = set(run(client_python, "-c", code).split())
    assert "polyrank" in installed
    assert installed.isdisjoint({"torch", "onnx", "onnxruntime", "onnxscript", "safetensors"})


def test_client_imports_and_hashes_where_it_is_alone(client_python: Path, tmp_path: Path) -> None:
    code = (
        "from polyrank.serving import Ranker\n"
        "from polyrank import Encoder\n"
        "from polyrank.fingerprint import fingerprint_one\n"
        "import polyrank\n"
        "print(fingerprint_one(46, dtype='int64'), polyrank.__version__)"
    )
    assert run(client_python, "-c", code, cwd=tmp_path) == "1516787460400590945 0.1.0\n"


def test_import_takes_less_than_150_ms(client_python: Path, tmp_path: Path) -> None:
    code = "import time; start = time.perf_counter(); import polyrank; print(time.perf_counter() - start)"
    assert min(float(run(client_python, "-c", code, cwd=tmp_path)) for _ in range(5)) < 0.150


def test_import_of_the_client_loads_no_server(client_python: Path, tmp_path: Path) -> None:
    code = "import sys; from polyrank.serving import Ranker; print('polyrank.serving.server' in sys.modules)"
    assert run(client_python, "-c", code, cwd=tmp_path) == "False\n"


def test_command_line_helps_where_the_client_is_alone(client_python: Path, tmp_path: Path) -> None:
    text = run(client_python.with_name("polyrank"), "--help", cwd=tmp_path)
    assert all(verb in text for verb in ("train", "export", "publish", "serve", "score", "dataset", "server"))


def test_module_is_the_same_command_line(client_python: Path, tmp_path: Path) -> None:
    assert run(client_python, "-m", "polyrank", "--version", cwd=tmp_path) == "polyrank 0.1.0\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "logs.csv", "--schema", str(ROOT / "examples/kuairand/schema.toml"), "--out", "run"], TRAIN),
        (["dataset", "kuairand", str(ROOT / "examples/kuairand"), "--out", "logs.parquet"], TRAIN),
        (["dataset", "storefront", "--out", "logs.parquet", "--schema", "schema.toml"], TRAIN),
        (["export", "run", "--out", "bundle"], EXPORT),
        (["publish", "bundle", "models"], EXPORT),
    ],
)
def test_verb_beyond_the_client_names_its_extra(
    client_python: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    command: list[str | Path] = [client_python.with_name("polyrank"), *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"polyrank: {message}\n")
    assert list(tmp_path.iterdir()) == []


def test_source_archive_holds_the_package_once(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    paths = [member.name.partition("/")[2] for member in members]
    assert {path.removeprefix("src/") for path in paths if path.endswith(".py") and path.startswith("src/")} == {
        name for name in sources() if name.endswith(".py")
    }
    tops = {path.split("/")[0] for path in paths}
    assert tops.isdisjoint({"train", "export", "serving", "examples", "tests", "build", ".ci", ".venv"})
    assert [member.name for member in members if member.issym() or member.islnk()] == []
