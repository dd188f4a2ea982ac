"""The model behind FastAPI: bytes or JSON in and out, a process for each worker. `python fastapi_app.py MODEL PORT`."""

import os
import sys

import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response
from graph import Graph
from pydantic import BaseModel

app = FastAPI()
graph = Graph(os.environ["MODEL"])


@app.post("/infer")
async def infer(request: Request) -> Response:
    return Response(graph.answer(await request.body()), media_type="application/octet-stream")


class Rows(BaseModel):
    ids: list[list[int]]
    dense: list[list[float]]


@app.post("/json")
async def infer_json(rows: Rows) -> dict[str, list[list[float]]]:
    ids, dense = np.array(rows.ids, np.int64), np.array(rows.dense, np.float32)
    return {"answers": np.frombuffer(graph.answer(ids.tobytes() + dense.tobytes()), np.float32).reshape(-1, 2).tolist()}


if __name__ == "__main__":
    uvicorn.run("fastapi_app:app", port=int(sys.argv[2]), workers=2, log_level="warning", access_log=False)
