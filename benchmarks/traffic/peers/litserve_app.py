"""The model behind LitServe, with batching; bytes travel as base64 in JSON. `python litserve_app.py MODEL PORT`."""

import base64
import sys

import litserve
from graph import Graph


class Api(litserve.LitAPI):
    def setup(self, device):
        self.graph = Graph(sys.argv[1])

    def decode_request(self, request):
        return base64.b64decode(request["rows"])

    def batch(self, inputs):
        return inputs

    def predict(self, bodies):
        return self.graph.answer_all(bodies)

    def unbatch(self, output):
        return output

    def encode_response(self, output):
        return {"answers": base64.b64encode(output).decode()}


if __name__ == "__main__":
    api = Api(max_batch_size=8, batch_timeout=0.001)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=2)
    server.run(port=int(sys.argv[2]), log_level="error", generate_client_file=False)
