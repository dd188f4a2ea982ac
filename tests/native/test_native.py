"""Every C++ test case as a pytest case."""

import pytest
from native.native_build import CppCase, cpp_cases, run

pytestmark = pytest.mark.native


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" not in metafunc.fixturenames:
        return
    try:
        cases = cpp_cases()
    except (OSError, RuntimeError) as err:
        # One failing case with the reason, where an error here would stop the collection of all tests.
        metafunc.parametrize("case", [err], ids=["build"])
    else:
        metafunc.parametrize("case", cases, ids=[case.name for case in cases])


def test_cpp_case_passes(case: CppCase | Exception) -> None:
    if isinstance(case, Exception):
        pytest.fail(f"the C++ tests did not build (GoogleTest is Debian's libgtest-dev): {case}")
    done = run(*case.command)
    assert done.returncode == 0, done.stdout + done.stderr


def test_cpp_cases_are_found() -> None:
    names = {case.name for case in cpp_cases()}
    assert "Xxh64.ChainedSeedsGiveTheValueThatSparkDocuments" in names
