"""How often and how soon a server is started again."""

from polyrank.serving.restarts import Restarts


def test_pauses_double_up_to_half_a_minute() -> None:
    restarts = Restarts(8)
    assert [restarts.next_pause_s(0.0) for _ in range(8)] == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert restarts.count == 8


def test_no_restart_is_left_after_the_limit() -> None:
    restarts = Restarts(2)
    assert [restarts.next_pause_s(now) for now in (0.0, 1.0, 2.0)] == [0.0, 1.0, None]


def test_limit_of_zero_allows_none() -> None:
    assert Restarts(0).next_pause_s(0.0) is None


def test_restarts_of_more_than_ten_minutes_ago_do_not_count() -> None:
    restarts = Restarts(1)
    assert restarts.next_pause_s(0.0) == 0.0
    assert restarts.next_pause_s(600.0) is None
    assert restarts.next_pause_s(600.5) == 0.0
