"""The model behind Ray Serve, with batching: bytes in, bytes out. `python ray_app.py MODEL PORT`."""

import sys
import time

import ray
from graph import Graph
from ray import serve
from starlette.requests import Request
from starlette.responses import Response


@serve.deployment(num_replicas=2, max_ongoing_requests=64, ray_actor_options={"num_cpus": 0.5})
class Ranker:
    def __init__(self, model: str) -> None:
        self.graph = Graph(model)

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=0.001)
    async def answer(self, bodies: list[bytes]) -> list[bytes]:
        return self.graph.answer_all(bodies)

    async def __call__(self, request: Request) -> Response:
        return Response(await self.answer(await request.body()), media_type="application/octet-stream")


if __name__ == "__main__":
    ray.init(log_to_driver=False, include_dashboard=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
    serve.run(Ranker.bind(sys.argv[1]), route_prefix="/infer")
    while True:
        time.sleep(1)
