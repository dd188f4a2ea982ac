"""The model behind FastAPI: bytes in, bytes out, a process for each worker. `python fastapi_app.py MODEL PORT`."""

import os
import sys

import uvicorn
from fastapi import FastAPI, Request, Response
from graph import Graph

app = FastAPI()
graph = Graph(os.environ["MODEL"])


@app.post("/infer")
async def infer(request: Request) -> Response:
    return Response(graph.answer(await request.body()), media_type="application/octet-stream")


if __name__ == "__main__":
    uvicorn.run("fastapi_app:app", port=int(sys.argv[2]), workers=2, log_level="warning", access_log=False)
