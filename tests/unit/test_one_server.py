"""What is asked of a server goes by its own time, whatever a client's options say of rankings."""

import numpy as np
from artefacts.scripted_http import Answer, ScriptedHttp, http, scores

from polyrank.serving import ClientOptions
from polyrank.serving.control import ModelControl
from polyrank.serving.doctor.remote import findings

FOR_RANKINGS = ClientOptions(attempt_timeout_s=0.05, hedge_after_s=0.02, shared_memory=True)


def test_load_takes_longer_than_an_attempt_of_a_ranking() -> None:
    server = ScriptedHttp(answers={"/v2/repository/models/fake/load": Answer([http()], delay_s=0.15)})
    with server.listening() as url, ModelControl(f"http://{url}", options=FOR_RANKINGS) as control:
        control.load("fake")
    assert len(server.requests) == 1


def test_answer_of_a_model_is_asked_for_once() -> None:
    server = ScriptedHttp(infer=lambda _request: Answer([scores(3)], delay_s=0.15))
    with server.listening() as url, ModelControl(f"http://{url}", options=FOR_RANKINGS) as control:
        answer = control.answer("fake", 1, {"ids": np.zeros((3, 1), np.int64)})
    assert answer["click"].shape == (3, 1)
    assert len(server.inferences) == 1


def test_doctor_waits_longer_than_an_attempt_of_a_ranking() -> None:
    about = Answer([http(b'{"name": "triton", "version": "2.0"}')], delay_s=0.15)
    with ScriptedHttp(answers={"/v2": about}).listening() as url:
        first = next(findings(f"http://{url}", FOR_RANKINGS))
    assert first.found == "lives: triton 2.0"
