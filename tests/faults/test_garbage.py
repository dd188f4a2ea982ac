"""Servers that answer with damaged bytes: a client gives the right scores or one line, and never others."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from artefacts.refused import refusal
from artefacts.scripted_http import Answer, ScriptedHttp, http, outputs, scores

from polyrank.serving import ClientOptions, Ranker
from polyrank.serving.failures import LONGEST

ROWS = [{"item": number} for number in range(3)]
RIGHT = [0.25, 0.5, 0.75]
"""What the rows are answered; each otherwise, so that rows which changed places are seen."""

FEW = ClientOptions(attempts=2)
WHOLE = scores(3, RIGHT)
HEADER, DATA = outputs(3, RIGHT)
PATHS = ("/v2/repository/index", "/v2/models/fake", "/v2/models/fake/config")


def noise(chance: random.Random) -> bytes:
    return chance.randbytes(chance.randint(0, 2_000))


def other_bytes(chance: random.Random) -> bytes:
    """Change bytes of a whole answer, but not of its scores, which nothing tells from others."""
    answer = bytearray(WHOLE)
    for _ in range(chance.randint(1, 3)):
        answer[chance.randrange(len(WHOLE) - len(DATA))] = chance.randrange(256)
    return bytes(answer)


def cut(chance: random.Random) -> bytes:
    return WHOLE[: chance.randrange(len(WHOLE))]


def other_lengths(chance: random.Random) -> bytes:
    lengths: dict[str, Any] = {
        name: chance.randint(0, 400) for name in ("Content_Length", "Inference_Header_Content_Length")
    }
    return http(HEADER + DATA, **dict(chance.sample(sorted(lengths.items()), chance.randint(1, 2))))


def other_json(chance: random.Random) -> bytes:
    """Put another value in place of one in the header: numbers, text, lists, nothing."""
    header = json.loads(HEADER)
    place = chance.choice([header, header["outputs"][0], header["outputs"][0]["parameters"]])
    values: list[Any] = [None, -1, 2**70, 0.5, "x", "", [], {}, [3], [[3, 1]], True, "1" * 5_000]
    place[chance.choice(sorted(place))] = chance.choice(values)
    text = json.dumps(header).encode()
    return http(text + DATA, Inference_Header_Content_Length=len(text))


DAMAGE: tuple[Callable[[random.Random], bytes], ...] = (noise, other_bytes, cut, other_lengths, other_json)


def right_or_refused(server: ScriptedHttp) -> None:
    with server.listening() as url:

        def ask() -> None:
            with Ranker(f"http://{url}", "fake", options=FEW, timeout_s=0.5) as ranker:
                for _ in range(2):
                    assert ranker.score(ROWS)["click"].to_pylist() == RIGHT

        line = refusal(ask)
    assert line is None or 0 < len(line) < LONGEST + 200


@pytest.mark.faults(
    fault="server whose answers are damaged", promise="the right scores, or one line; never others", rounds=200
)
def test_damaged_answers_give_no_wrong_score(chance: random.Random) -> None:
    closes = chance.random() < 0.5
    right_or_refused(ScriptedHttp(infer=lambda _: Answer([chance.choice(DAMAGE)(chance)], closes=closes)))


@pytest.mark.faults(
    fault="server that describes itself in garbage", promise="the right scores, or one line; never others", rounds=60
)
def test_damaged_descriptions_give_no_wrong_score(chance: random.Random) -> None:
    texts = [noise(chance), json.dumps(chance.choice([None, [], {}, 7, "x", [[]], {"name": 3}])).encode()]
    answers = {path: Answer([http(chance.choice(texts))]) for path in chance.sample(PATHS, chance.randint(1, 3))}
    right_or_refused(ScriptedHttp(answers=answers, value=RIGHT))
