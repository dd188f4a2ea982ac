"""The model behind BentoML, with batching; bytes travel as base64 in JSON. `python bentoml_app.py MODEL PORT`."""

import base64
import os
import subprocess
import sys

import bentoml


@bentoml.service(workers=2)
class Ranker:
    def __init__(self) -> None:
        from graph import Graph

        self.graph = Graph(os.environ["MODEL"])

    @bentoml.api(batchable=True, max_batch_size=8, max_latency_ms=100)
    def infer(self, rows: list[str]) -> list[str]:
        answers = self.graph.answer_all([base64.b64decode(each) for each in rows])
        return [base64.b64encode(each).decode() for each in answers]


if __name__ == "__main__":
    command = [sys.executable, "-m", "bentoml", "serve", "bentoml_app:Ranker", "--port", sys.argv[2]]
    sys.exit(subprocess.call(command))
