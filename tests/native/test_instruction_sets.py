"""What is compiled for some processors only must stay out of the code for all of them."""

import platform

import pytest
from native.native_build import build, run

pytestmark = pytest.mark.native


@pytest.mark.parametrize("level", ["avx2", "avx512"])
def test_level_shares_no_function_with_code_for_other_processors(level: str) -> None:
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("AVX is x86-64's")
    archive = build("dev") / "libpolyrank_kernels.a"
    done = run("nm", "--defined-only", "--extern-only", "--demangle", str(archive))
    assert done.returncode == 0, done.stderr
    members = dict(member.split(":\n", 1) for member in done.stdout.strip().split("\n\n"))
    # A linker keeps one copy of a weak symbol, such as an inline function's, for the whole program: perhaps this one.
    symbols = {line.split(maxsplit=2)[2] for line in members[f"level_{level}.cpp.o"].splitlines()}
    assert symbols == {f"polyrank::{level}_level()"}
