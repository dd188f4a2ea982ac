import time

from polyrank.serving.addresses import address_of
from polyrank.serving.endpoints import Endpoint, Endpoints
from polyrank.serving.failures import Kind


def test_server_that_failed_ten_thousand_times_is_tried_again_within_five_seconds() -> None:
    endpoint = Endpoint(address_of("localhost:8000"))
    for _ in range(10_000):
        endpoint.failed(Kind.UNREACHABLE)
    assert 4.0 < endpoint.wait_s(time.monotonic()) <= 5.0


def test_only_server_is_chosen_though_it_fails() -> None:
    endpoints = Endpoints([address_of("localhost:8000")])
    endpoints.all[0].failed(Kind.BROKEN)
    assert endpoints.choose(avoid=endpoints.all[0]) is endpoints.all[0]
