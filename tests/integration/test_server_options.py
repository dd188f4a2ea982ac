"""TLS, draining and Triton's own options, in the real server."""

import logging
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from artefacts.processes import wait_until
from integration.server_repository import add_model, ask, rows
from tritonclient import grpc
from tritonclient.utils import InferenceServerException

from polyrank.errors import ServerStartError
from polyrank.serving import ClientOptions, ModelControl, TlsFiles
from polyrank.serving.server import ServerConfig, serve
from polyrank.serving.triton_http import TritonHttp
from polyrank.serving.triton_options import ServerTls

pytestmark = pytest.mark.triton

SLOW = {"dynamic_batching": {"max_queue_delay_microseconds": 3_000_000}}


def certify(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a self-signed certificate for 127.0.0.1; return it and its key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}-key.pem"
    request = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    address = ["-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", *request, *address, "-out", str(certificate), "-keyout", str(key)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def secured(url: str, certificate: Path, *own: Path) -> float:
    """Return the answer that a client gets who trusts `certificate`, and shows its `own` certificate and key."""
    chain, key = (str(each) for each in own) if own else (None, None)
    options = {"root_certificates": str(certificate), "certificate_chain": chain, "private_key": key}
    with grpc.InferenceServerClient(url, ssl=True, **options) as client:
        return float(client.infer("ranker", rows(1, 1), client_timeout=10.0).as_numpy("click").item())


def test_secured_server_answers_those_who_trust_it_alone(tmp_path: Path) -> None:
    add_model(tmp_path / "models")
    certificate, key = certify(tmp_path, "server")
    other, _ = certify(tmp_path, "other")
    config = ServerConfig(host="0.0.0.0", tls=ServerTls(certificate=certificate, key=key))  # noqa: S104 (what is tested)
    with serve(tmp_path / "models", config=config) as server:
        assert secured(server.grpc_url, certificate) == 1.5
        with pytest.raises(InferenceServerException, match="UNAVAILABLE"):
            secured(server.grpc_url, other)
        with pytest.raises(InferenceServerException, match="UNAVAILABLE"):
            ask(server.grpc_url, rows(1, 1))
        listening = listeners()
        assert listening[port(server.url)] == "127.0.0.1"
        assert listening[port(server.grpc_url)] == "*"


def port(url: str) -> int:
    return int(url.rpartition(":")[2])


def listeners() -> dict[int, str]:
    """Return the address that each port of this machine listens on; "*" is all."""
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    lines = [line.split() for table in tables for line in table]
    ends = [line[1].split(":") for line in lines if line[3] == "0A"]
    return {int(number, 16): "127.0.0.1" if address[-8:] == "0100007F" else "*" for address, number in ends}


def test_secured_server_may_ask_clients_who_they_are(tmp_path: Path) -> None:
    add_model(tmp_path / "models")
    certificate, key = certify(tmp_path, "server")
    client = certify(tmp_path, "client")
    stranger = certify(tmp_path, "stranger")
    config = ServerConfig(tls=ServerTls(certificate=certificate, key=key, ca=client[0]))
    with serve(tmp_path / "models", config=config) as server:
        assert secured(server.grpc_url, certificate, *client) == 1.5
        files = TlsFiles(ca=certificate, certificate=client[0], key=client[1])
        with ModelControl(f"grpcs://{server.grpc_url}", options=ClientOptions(tls=files)) as control:
            assert control.versions("ranker") == (1,)
        for own in ((), stranger):
            with pytest.raises(InferenceServerException, match="UNAVAILABLE"):
                secured(server.grpc_url, certificate, *own)


def test_secured_triton_is_watched_too(tmp_path: Path) -> None:
    add_model(tmp_path / "models")
    certificate, key = certify(tmp_path, "server")
    config = ServerConfig(tls=ServerTls(certificate=certificate, key=key), restarts=2, hang_s=3.0)
    with serve(tmp_path / "models", config=config) as server:
        before = server.pid
        time.sleep(5.0)
        assert server.pid == before


def is_ready(http: TritonHttp) -> bool:
    try:
        http.get("/v2/health/ready")
    except ConnectionError:
        return False
    return True


def test_stop_answers_what_is_in_flight_and_is_not_ready_for_more(tmp_path: Path) -> None:
    add_model(tmp_path, config=SLOW)
    with ThreadPoolExecutor(2) as pool, serve(tmp_path) as server:
        http = TritonHttp("127.0.0.1", port(server.url))
        assert is_ready(http)
        answer = pool.submit(ask, server.grpc_url, rows(1, 1))
        time.sleep(0.5)
        stopping = pool.submit(server.stop)
        assert wait_until(lambda: not is_ready(http), 2.0)
        assert not answer.done()
        assert answer.result()["click"].item() == 1.5
        stopping.result()
        with pytest.raises(InferenceServerException, match="UNAVAILABLE"):
            ask(server.grpc_url, rows(1, 1))


def test_stop_under_load_answers_or_refuses_each_request(tmp_path: Path) -> None:
    add_model(tmp_path)
    statuses: list[str] = []
    answered: list[float] = []

    def work(url: str) -> None:
        with grpc.InferenceServerClient(url) as client:
            while not statuses:
                try:
                    client.infer("ranker", rows(1, 1))
                    answered.append(time.monotonic())
                except InferenceServerException as err:
                    statuses.append(str(err.status()))

    with serve(tmp_path) as server:
        threads = [threading.Thread(target=work, args=(server.grpc_url,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(1.0)
        server.stop()
        for thread in threads:
            thread.join()
    assert len(answered) > 100
    assert set(statuses) <= {"StatusCode.UNAVAILABLE", "StatusCode.NOT_FOUND"}


def test_grace_ends_after_its_time(tmp_path: Path) -> None:
    add_model(tmp_path, config={"dynamic_batching": {"max_queue_delay_microseconds": 60_000_000}})
    with ThreadPoolExecutor(1) as pool:
        with serve(tmp_path, config=ServerConfig(grace_s=1.0)) as server:
            answer = pool.submit(ask, server.grpc_url, rows(1, 1))
            time.sleep(0.5)
            begin = time.monotonic()
        assert 0.9 < time.monotonic() - begin < 4.0
        with pytest.raises(InferenceServerException, match="UNAVAILABLE"):
            answer.result()


def test_options_reach_triton_and_ids_of_requests_its_log(tmp_path: Path) -> None:
    add_model(tmp_path)
    config = ServerConfig(log_verbose=1, triton_options={"metrics-config": "summary_latencies=true"})
    with serve(tmp_path, config=config) as server, grpc.InferenceServerClient(server.grpc_url) as client:
        client.infer("ranker", rows(1, 1), request_id="order-17")
        assert "[request id: order-17]" in server.log_file.read_text()
        metrics = Path("/proc") / str(server.pid) / "cmdline"
        assert "--metrics-config=summary_latencies=true" in metrics.read_text().split("\0")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("no-such-thing", "1", r"did not start: unrecognized option '--no-such-thing=1'"),
        ("http-thread-count", "many", r"did not start: Invalid option value\. Got many"),
    ],
)
def test_option_that_triton_does_not_take_is_told(tmp_path: Path, name: str, value: str, message: str) -> None:
    add_model(tmp_path)
    with pytest.raises(ServerStartError, match=message):
        serve(tmp_path, config=ServerConfig(triton_options={name: value}))


def test_start_tells_on_what_each_model_runs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    add_model(tmp_path)
    add_model(tmp_path, "automatic", config={"instance_group": [{"kind": "KIND_AUTO", "count": 1}]})
    caplog.set_level(logging.INFO)
    with serve(tmp_path) as server:
        assert server.devices == {"automatic": "CPU", "ranker": "CPU"}
    assert "devices: automatic on CPU, ranker on CPU (this machine has no GPU)" in caplog.text
