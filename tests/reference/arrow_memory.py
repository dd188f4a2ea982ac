"""Arrow columns rebuilt inside one block of memory, so that tests can write results over what is read."""

from typing import Any

import numpy as np
import pyarrow as pa

ALIGNMENT = 8


class Memory:
    """A block of `num_words` words, filled from its start with the buffers of arrays."""

    def __init__(self, num_words: int) -> None:
        self.words = np.zeros(num_words, np.int64)
        self._bytes = self.words.view(np.uint8)
        self._used = 0

    def holding(self, array: Any) -> Any:
        """Return an equal array whose buffers, those of its children too, lie in this block."""
        if isinstance(array, pa.ChunkedArray):
            return pa.chunked_array([self.holding(chunk) for chunk in array.chunks], array.type)
        if pa.types.is_dictionary(array.type):
            return pa.DictionaryArray.from_arrays(self.holding(array.indices), self.holding(array.dictionary))
        if pa.types.is_run_end_encoded(array.type):
            return pa.RunEndEncodedArray.from_arrays(self.holding(array.run_ends), self.holding(array.values))
        if pa.types.is_list(array.type):
            buffers = [self._take(buffer) for buffer in array.buffers()[:2]]
            children = [self.holding(array.values)]
            return pa.Array.from_buffers(array.type, len(array), buffers, offset=array.offset, children=children)
        buffers = [self._take(buffer) for buffer in array.buffers()]
        return pa.Array.from_buffers(array.type, len(array), buffers, offset=array.offset)

    def _take(self, buffer: Any) -> Any:
        if buffer is None:
            return None
        begin, self._used = self._used, self._used + -(-buffer.size // ALIGNMENT) * ALIGNMENT
        self._bytes[begin : begin + buffer.size] = np.frombuffer(buffer, np.uint8)
        return pa.py_buffer(self._bytes[begin : begin + buffer.size])
