"""All fuzzers for some seconds; `make fuzz` runs them for longer."""

import re
import shutil

import pytest
from fuzz.run_fuzzers import KERNELS, arrow_command, kernels_command
from native.native_build import run, sanitizer_environment

pytestmark = [pytest.mark.slow, pytest.mark.native, pytest.mark.timeout(900)]
SECONDS = 20.0


@pytest.mark.parametrize("fuzzer", KERNELS)
def test_kernels_equal_plain_loops_on_random_inputs(fuzzer: str) -> None:
    if shutil.which("clang++") is None:
        pytest.skip("libFuzzer needs Clang; make test-all installs it")
    done = run(*kernels_command(fuzzer, SECONDS))
    assert done.returncode == 0, done.stderr[-10_000:]
    runs = re.search(r"stat::number_of_executed_units: *(\d+)", done.stderr)
    assert runs is not None
    assert int(runs[1]) > 1_000


def test_extension_equals_the_reference_on_random_arrow_data() -> None:
    done = run(*arrow_command(SECONDS, seed=0), env=sanitizer_environment())
    assert done.returncode == 0, done.stderr[-10_000:]
    assert re.match(r"arrow_fuzz: [\d,]+ cases: ", done.stdout)
