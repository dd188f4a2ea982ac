"""The sources run no text as code, unpickle nothing, start no shell, and take apart no archive by its names."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from artefacts.pages import ROOT

BANNED_MODULES = {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "marshal", "shelve", "telnetlib", "ftplib"}
BANNED_CALLS = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "torch.load", "yaml.load", "yaml.unsafe_load"),
    *("pandas.read_pickle", "pd.read_pickle", "joblib.load", "shutil.unpack_archive", "urllib.request.urlopen"),
}
BANNED_METHODS = {"extractall", "extract"}
NETWORKS = {"urllib.request", "requests", "httpx", "aiohttp", "urllib3"}


def sources() -> list[Path]:
    folders = [ROOT / name for name in ("src/polyrank", "train", "export", "serving")]
    return sorted({file.resolve() for folder in folders for file in folder.rglob("*.py")})


def faults(code: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
            for name in names:
                if name.split(".")[0] in BANNED_MODULES or name in NETWORKS or name.split(".")[0] in NETWORKS:
                    yield f"line {node.lineno}: import of {name}"
        elif isinstance(node, ast.Call):
            yield from faults_of_call(node)


def faults_of_call(call: ast.Call) -> Iterator[str]:
    name = ast.unparse(call.func)
    keywords = {each.arg: ast.unparse(each.value) for each in call.keywords}
    if name in BANNED_CALLS or (isinstance(call.func, ast.Attribute) and call.func.attr in BANNED_METHODS):
        yield f"line {call.lineno}: {name}"
    if keywords.get("shell") == "True":
        yield f"line {call.lineno}: {name} with a shell"
    if name in ("np.load", "numpy.load") and keywords.get("allow_pickle") == "True":
        yield f"line {call.lineno}: {name} of pickles"


@pytest.mark.parametrize("file", sources(), ids=lambda file: str(file.relative_to(ROOT)))
def test_source_makes_no_dangerous_call(file: Path) -> None:
    assert list(faults(file.read_text())) == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from pickle import loads",
        "import urllib.request",
        "eval(text)",
        "exec(text)",
        "os.system(text)",
        "torch.load(file)",
        "yaml.load(text)",
        "subprocess.run(text, shell=True)",
        "np.load(file, allow_pickle=True)",
        "archive.extractall()",
    ],
)
def test_dangerous_call_would_be_found(code: str) -> None:
    assert len(list(faults(code))) == 1


def test_all_sources_are_looked_at() -> None:
    assert len(sources()) > 300
