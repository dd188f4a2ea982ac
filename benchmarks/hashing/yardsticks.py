"""The native yardsticks of yardsticks.cpp, built for this machine on first use into build/."""

import hashlib
import importlib.util
import os
import platform
import subprocess
import sysconfig
from pathlib import Path
from types import ModuleType

from contests.report import cpu_model

SOURCE = Path(__file__).with_name("yardsticks.cpp")
BUILD = Path(__file__).parents[2] / "build" / "yardsticks"
FLAGS = ("-std=c++20", "-O3", "-march=native", "-shared", "-fPIC", "-fvisibility=hidden")


def load_yardsticks() -> ModuleType:
    """Import the extension; build it first where this source has not been built for this CPU and Python."""
    facts = (SOURCE.read_text(), cpu_model(), platform.python_version(), *FLAGS)
    folder = BUILD / hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
    target = folder / f"yardsticks{sysconfig.get_config_var('EXT_SUFFIX')}"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _compile(target)
    spec = importlib.util.spec_from_file_location("yardsticks", target)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _compile(target: Path) -> None:
    import pybind11

    includes = [f"-I{path}" for path in (pybind11.get_include(), sysconfig.get_path("include"))]
    partial = target.with_suffix(f".{os.getpid()}.partial")
    command = [os.environ.get("CXX", "c++"), *FLAGS, *includes, SOURCE, "-o", partial, "-lxxhash"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the yardsticks do not compile; they need a C++20 compiler and libxxhash-dev\n{done.stderr}")
    partial.replace(target)
