"""The loop with a server: what it publishes is what answers, and what users do not like goes back."""

import json
from collections.abc import Iterator

import pytest
from artefacts.loop_cycles import shop_bundle
from artefacts.shop_logs import LOOP, Shop

from polyrank.__main__ import main
from polyrank.export import ServingOptions, publish
from polyrank.loop import History, Loop
from polyrank.loop.findings import PublishFound, RollbackFound, TrainFound, VerifyFound, WatchFound
from polyrank.loop.steps.publish import PublishStep
from polyrank.serving import ModelControl, Ranker, Server, serve

pytestmark = pytest.mark.triton
ROWS = [{"user_id": 1, "item_id": 2, "price": 3.0}]


@pytest.fixture(scope="module")
def looped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shop, Server]]:
    """A shop with a server, after a cycle that stays, one that is rolled back, and a third that is watched."""
    folder = tmp_path_factory.mktemp("looped")
    publish(shop_bundle(folder), folder / "models", name="standing", options=ServingOptions(warm_up=(1,)))
    with serve(folder / "models") as server:
        text = LOOP.replace('repository = "models"', f'repository = "models"\nserver = "{server.url}"')
        shop = Shop.open(folder, text.replace("rows_only = true", ""))
        shop.show(hours=(0, 6), rows=900)
        run(shop)
        shop.show(hours=(6, 12), rows=900, version=live(server), seed=1)
        run(shop)
        shop.show(hours=(12, 16), rows=600, version=live(server), taste=0.3, seed=2)
        run(shop)
        yield shop, server


def run(shop: Shop) -> None:
    assert main(["--quiet", "loop", str(shop.settings)]) == 0


def live(server: Server) -> int:
    with Ranker(server.url, "shop") as ranker:
        ranker.score(ROWS)
        return int(ranker.version)


def history(shop: Shop) -> History:
    return History.read(Loop.load(shop.settings))


def test_server_answers_with_what_was_published_last(looped: tuple[Shop, Server]) -> None:
    shop, server = looped
    published = history(shop).cycles[2].found(PublishFound)
    assert live(server) == published.version == 4
    with ModelControl(server.url) as control:
        assert control.signature("shop").run_id == published.run_id


def test_versions_are_verified_on_the_server(looped: tuple[Shop, Server]) -> None:
    shop, server = looped
    for number, cycle in enumerate(history(shop).cycles):
        verified = cycle.found(VerifyFound)
        assert verified.server == server.url
        assert sorted(verified.differences) == ["shop", "shop_rank"]
        assert max(gap for gaps in verified.differences.values() for gap in gaps.values()) <= 1e-5, number


def test_version_that_users_did_not_like_went_back(looped: tuple[Shop, Server]) -> None:
    shop, _ = looped
    first, second, third = history(shop).cycles
    assert (second.found(WatchFound).outcome, second.found(RollbackFound).version) == ("worse", 3)
    assert second.found(RollbackFound).run_id == first.found(TrainFound).run_id
    assert third.found(TrainFound).started_from == first.found(TrainFound).run_id


def test_status_tells_the_same(looped: tuple[Shop, Server], capsys: pytest.CaptureFixture[str]) -> None:
    shop, _ = looped
    assert main(["loop", "status", str(shop.settings), "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["live"]["version"], status["live"]["cycle"]) == (4, 3)
    assert (status["next_cycle"], status["next_step"]) == (3, "watch")
    assert status["waits_for"].startswith("impressions of version 4: 0 of 100")


def test_version_that_the_server_was_not_told_of_is_loaded(looped: tuple[Shop, Server]) -> None:
    shop, server = looped
    loop, cycles = Loop.load(shop.settings), history(shop)
    cycle = cycles.cycles[2]
    version = publish(cycle.bundle, loop.repository).version
    assert live(server) == version - 1
    result = PublishStep().run(cycle, cycles.before(cycle))
    assert isinstance(result.found, PublishFound)
    assert (result.found.version, live(server)) == (version, version)
