"""Products of matrices in training round as 32 bits do, and the process is left as it was."""

import threading

import pytest
import torch

from polyrank.train.products import fast_products


def test_products_keep_their_bits() -> None:
    number = 1 + 2**-12
    with fast_products():
        assert ((torch.full((256, 256), number) @ torch.eye(256)) == number).all()


@pytest.mark.parametrize("before", ["highest", "high"])
def test_setting_is_as_it_was_when_blocks_end_in_any_order(before: str) -> None:
    torch.set_float32_matmul_precision(before)
    first_may_end, second_is_in = threading.Event(), threading.Event()

    def first() -> None:
        with fast_products():
            second_is_in.wait(10.0)

    def second() -> None:
        with fast_products():
            second_is_in.set()
            first_may_end.wait(10.0)

    threads = [threading.Thread(target=work) for work in (first, second)]
    try:
        for thread in threads:
            thread.start()
        threads[0].join()
        first_may_end.set()
        threads[1].join()
        assert torch.get_float32_matmul_precision() == before
    finally:
        torch.set_float32_matmul_precision("highest")
