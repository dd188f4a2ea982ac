"""Arrow C streams built by hand, so that tests can hand over what no well-behaved producer makes."""

import ctypes
from collections.abc import Sequence
from typing import Any

from reference.arrow_c_structs import ArrowArray, ArrowSchema, HandMadeArray, new_capsule


class ArrowArrayStream(ctypes.Structure):
    pass


_STREAM = ctypes.POINTER(ArrowArrayStream)
_GET_SCHEMA = ctypes.CFUNCTYPE(ctypes.c_int, _STREAM, ctypes.POINTER(ArrowSchema))
_GET_NEXT = ctypes.CFUNCTYPE(ctypes.c_int, _STREAM, ctypes.POINTER(ArrowArray))
_GET_ERROR = ctypes.CFUNCTYPE(ctypes.c_void_p, _STREAM)
_RELEASE = ctypes.CFUNCTYPE(None, _STREAM)

ArrowArrayStream._fields_ = [
    ("get_schema", _GET_SCHEMA),
    ("get_next", _GET_NEXT),
    ("get_last_error", _GET_ERROR),
    ("release", _RELEASE),
    ("private_data", ctypes.c_void_p),
]


class HandMadeStream:
    """A stream of `arrays` whose call `call` fails with `errors[call]`: call 0 is for the schema, then come arrays."""

    def __init__(self, arrays: Sequence[HandMadeArray], errors: dict[int, int] | None = None) -> None:
        self.releases = 0
        self._arrays = list(arrays)
        self._errors = errors or {}
        self._calls = 0
        self._message = ctypes.create_string_buffer(b"out of data")
        self.stream = ArrowArrayStream(
            get_schema=_GET_SCHEMA(self._get_schema),
            get_next=_GET_NEXT(self._get_next),
            get_last_error=_GET_ERROR(lambda _: ctypes.addressof(self._message)),
            release=_RELEASE(self._release),
        )

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        assert requested_schema is None
        return new_capsule(ctypes.addressof(self.stream), b"arrow_array_stream", None)

    def _error(self) -> int:
        self._calls += 1
        return self._errors.get(self._calls - 1, 0)

    def _get_schema(self, _: Any, schema: Any) -> int:
        ctypes.memmove(schema, ctypes.byref(self._arrays[0].schema), ctypes.sizeof(ArrowSchema))
        return self._error()

    def _get_next(self, _: Any, array: Any) -> int:
        error = self._error()
        place = self._calls - 2
        content = self._arrays[place].array if place < len(self._arrays) and error == 0 else ArrowArray()
        ctypes.memmove(array, ctypes.byref(content), ctypes.sizeof(ArrowArray))
        return error

    def _release(self, stream: Any) -> None:
        self.releases += 1
        stream.contents.release = _RELEASE()
