"""Regions of shared memory that a client keeps: each of one request, and none after `close`."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from artefacts.asking import ROWS
from artefacts.scripted_http import Answer, ScriptedHttp, http, scores

from polyrank.errors import DeadlineExceededError
from polyrank.serving import ClientOptions, Ranker
from polyrank.serving.regions import SHARED_MEMORY, region_name
from polyrank.serving.shared_memory import Region, Regions
from polyrank.serving.transports import http as http_transport

OPTIONS = ClientOptions(shared_memory=True)


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give the name of the only region of the test, which a request of any size lies in."""
    only = region_name()
    monkeypatch.setattr(http_transport, "SHORTEST", 1)
    monkeypatch.setattr("polyrank.serving.shared_memory.region_name", lambda: only)
    yield only
    (SHARED_MEMORY / only).unlink(missing_ok=True)


@pytest.fixture
def region() -> Iterator[Region]:
    made = Region(100)
    made.forget_name()
    yield made
    made.close()


def test_region_is_given_back_for_the_next_request(region: Region) -> None:
    regions = Regions(1)
    assert regions.give_back(region)
    assert regions.take(200) is None
    assert regions.take(128) is region
    assert regions.take(128) is None


def test_region_that_has_no_room_is_not_kept(region: Region) -> None:
    regions = Regions(0)
    assert not regions.give_back(region)
    assert regions.close() == []


def test_region_is_not_kept_after_close(region: Region) -> None:
    regions = Regions(1)
    assert regions.close() == []
    assert not regions.give_back(region)


def test_threads_lose_no_region() -> None:
    made = [Region(100) for _ in range(4)]
    regions = Regions(4)
    for each in made:
        each.forget_name()
        regions.give_back(each)

    def use(_number: int) -> None:
        regions.take(1_000)
        taken = regions.take(100)
        if taken is not None:
            assert regions.give_back(taken)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(4_000)))
    found = regions.close()
    assert sorted(each.name for each in found) == sorted(each.name for each in made)
    for each in found:
        each.close()


def test_region_in_use_at_close_is_forgotten_by_the_server(name: str) -> None:
    place = f"/v2/systemsharedmemory/region/{name}"
    is_asked = threading.Event()

    def answer(_request: object) -> Answer:
        is_asked.set()
        return Answer([scores(3)], delay_s=0.2)

    server = ScriptedHttp(infer=answer, answers={f"{place}/register": Answer([http()])})
    with server.listening() as url, ThreadPoolExecutor(1) as pool:
        ranker = Ranker(url, "fake", options=OPTIONS)
        call = pool.submit(ranker.score, ROWS)
        assert is_asked.wait(5.0)
        ranker.close()
        assert len(call.result()) == 3
    assert server.requests[-1].path == f"{place}/unregister"


def test_registration_takes_from_the_time_of_its_request(name: str) -> None:
    register = Answer([http()], delay_s=0.25)
    answers = {f"/v2/systemsharedmemory/region/{name}/register": register}
    server = ScriptedHttp(infer=lambda _request: Answer([scores(3)], delay_s=0.25), answers=answers)
    with (
        server.listening() as url,
        Ranker(url, "fake", options=OPTIONS) as ranker,
        pytest.raises(DeadlineExceededError, match=r"deadline of 0\.4 s passed"),
    ):
        ranker.score(ROWS, timeout_s=0.4)
