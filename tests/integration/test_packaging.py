"""What is built for others: the wheel, the source archive, and an environment with the client alone."""

import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from artefacts import golden_installed
from artefacts.packages import CONSTRAINTS, PIP, PYTHONS, ROOT, build_sdist, build_wheel, install, run
from golden.make_fingerprint_v1 import PATH as GOLDEN

TRAIN = "models need PyTorch and safetensors; pip install 'polyrank[train]'"
EXPORT = "export needs onnx; pip install 'polyrank[export,cpu]'"
MB = 1_000_000
NEEDS_X86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="vector instructions and emulator are of x86-64")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_sdist(tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(sdist, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def downloads(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all that `pip install polyrank` takes from an index."""
    folder = tmp_path_factory.mktemp("downloads")
    run(*PIP, "download", *CONSTRAINTS, "--dest", folder, wheel)
    return folder


@pytest.fixture(scope="module")
def client_python(downloads: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment where the wheel and what it requires were installed, and nothing else."""
    return install(downloads, tmp_path_factory.mktemp("client") / "venv")


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


def test_wheel_names_the_versions_that_are_tested(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read("polyrank-0.1.0.dist-info/METADATA").decode()
    assert re.findall(r"^Classifier: Programming Language :: Python :: (\d.*)$", metadata, re.MULTILINE) == [*PYTHONS]


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


def test_help_takes_less_than_750_ms_of_the_processor(client_python: Path, tmp_path: Path) -> None:
    def help_s() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(client_python.with_name("polyrank"), "--help", cwd=tmp_path)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(help_s() for _ in range(3)) < 0.75


def test_wheel_is_smaller_than_3_mb(wheel: Path) -> None:
    assert wheel.stat().st_size < 3 * MB


def test_client_with_all_it_requires_is_smaller_than_120_mb(downloads: Path) -> None:
    sizes = {file.name.split("-")[0]: file.stat().st_size for file in downloads.iterdir()}
    assert {"polyrank", "pyarrow", "numpy", "msgspec", "tritonclient"} <= set(sizes)
    assert sum(sizes.values()) < 120 * MB


@NEEDS_X86
def test_wheel_computes_golden_fingerprints_without_vector_instructions(client_python: Path, tmp_path: Path) -> None:
    env = os.environ | {"POLYRANK_ISA": "scalar"}
    assert run(client_python, golden_installed.__file__, GOLDEN, cwd=tmp_path, env=env) == "scalar\n"


@NEEDS_X86
def test_wheel_computes_golden_fingerprints_on_a_processor_without_avx(client_python: Path, tmp_path: Path) -> None:
    emulator = shutil.which("qemu-x86_64") or shutil.which("qemu-x86_64-static")
    if emulator is None:
        pytest.skip("qemu-x86_64 is missing: apt-get install qemu-user")
    command: list[str | Path] = [emulator, "-cpu", "Nehalem", client_python, golden_installed.__file__, GOLDEN]
    assert run(*command, cwd=tmp_path) == "scalar\n"


@NEEDS_X86
def test_wheel_is_repaired_for_manylinux_and_needs_nothing_beside_it(wheel: Path, tmp_path: Path) -> None:
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    run(sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", tmp_path, wheel, env=env)
    (repaired,) = tmp_path.iterdir()
    libc = platform.libc_ver()[1]
    found = re.search(r"-manylinux_(\d+)_(\d+)_x86_64\.whl$", repaired.name)
    assert found is not None
    assert (int(found[1]), int(found[2])) <= tuple(map(int, libc.split(".")))
    with zipfile.ZipFile(repaired) as archive:
        (library,) = [name for name in archive.namelist() if ".so" in name]
    assert library.startswith("polyrank/_native.")


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
