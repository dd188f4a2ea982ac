"""Arrow C data interface structs built by hand, so that tests can hand over what no well-behaved producer makes."""

import ctypes
from collections.abc import Sequence
from typing import Any


class ArrowSchema(ctypes.Structure):
    pass


class ArrowArray(ctypes.Structure):
    pass


RELEASE_SCHEMA = ctypes.CFUNCTYPE(None, ctypes.POINTER(ArrowSchema))
RELEASE_ARRAY = ctypes.CFUNCTYPE(None, ctypes.POINTER(ArrowArray))

ArrowSchema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_char_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.c_void_p),
    ("dictionary", ctypes.c_void_p),
    ("release", RELEASE_SCHEMA),
    ("private_data", ctypes.c_void_p),
]
ArrowArray._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.c_void_p),
    ("dictionary", ctypes.c_void_p),
    ("release", RELEASE_ARRAY),
    ("private_data", ctypes.c_void_p),
]

new_capsule = ctypes.pythonapi.PyCapsule_New
new_capsule.restype = ctypes.py_object
new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]


class HandMadeArray:
    """An Arrow array of format `kind` on `buffers` (None is a null pointer); `fields` override the ArrowArray's."""

    def __init__(
        self, kind: bytes | None, length: int, buffers: Sequence[bytes | None], /, *, shift: int = 0, **fields: Any
    ) -> None:
        self.releases = 0
        # The memory starts at a multiple of 8 bytes plus `shift`.
        self._memory = [
            None if data is None else (ctypes.c_uint64 * (len(data) // 8 + 2))() for data in buffers
        ]  # kept alive with this object
        pointers = (ctypes.c_void_p * max(len(buffers), 1))()
        for index, (memory, data) in enumerate(zip(self._memory, buffers, strict=True)):
            if memory is not None and data is not None:
                pointers[index] = ctypes.addressof(memory) + shift
                ctypes.memmove(ctypes.addressof(memory) + shift, data, len(data))
        self._pointers = pointers
        self.schema = ArrowSchema(format=kind, release=RELEASE_SCHEMA(self._release_schema))
        self.array = ArrowArray(
            length=length, n_buffers=len(buffers), buffers=pointers, release=RELEASE_ARRAY(self._release_array)
        )
        for name, value in fields.items():
            setattr(self.array, name, value)

    def set_dictionary(self, values: "HandMadeArray") -> None:
        """Make this array the indices of a dictionary of `values`."""
        self._values = values  # kept alive with this object
        self.schema.dictionary = ctypes.addressof(values.schema)
        self.array.dictionary = ctypes.addressof(values.array)

    def set_children(
        self, children: Sequence["HandMadeArray | None"], names: Sequence[bytes | None] = (), /, **counts: int
    ) -> None:
        """Give this array children (None is a null pointer); `counts` override n_children of `schema` and `array`."""
        self._children = children, names  # kept alive with this object
        for child, name in zip(children, names, strict=False):
            if child is not None:
                child.schema.name = name
        for struct in ("schema", "array"):
            pointers = (ctypes.c_void_p * max(len(children), 1))()
            for index, child in enumerate(children):
                if child is not None:
                    pointers[index] = ctypes.addressof(getattr(child, struct))
            setattr(self, f"_{struct}s", pointers)
            getattr(self, struct).children = ctypes.addressof(pointers)
            getattr(self, struct).n_children = counts.get(struct, len(children))

    def _release_schema(self, schema: Any) -> None:
        schema.contents.release = RELEASE_SCHEMA()

    def _release_array(self, array: Any) -> None:
        self.releases += 1
        array.contents.release = RELEASE_ARRAY()

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        assert requested_schema is None
        return (
            new_capsule(ctypes.addressof(self.schema), b"arrow_schema", None),
            new_capsule(ctypes.addressof(self.array), b"arrow_array", None),
        )
