"""What the reader of a format takes: a file of this machine, of text in UTF-8."""

import contextlib
from collections.abc import Iterator

from .copying import local_copy
from .encoding import as_utf8
from .forms import format_of
from .opening import check_text
from .reading import readable
from .remote import Location


@contextlib.contextmanager
def prepared(file: Location, encoding: str) -> Iterator[Location]:
    """Give a file as the reader of its format takes it: itself, or a copy that is removed afterwards.

    Raises:
        DataError: a store cannot be reached, or text is of another kind or encoding; the message names `file`.
        OutputError: there is no room for a copy.
    """
    form = format_of(file)
    if not form.is_copied:
        yield file
        return
    with contextlib.ExitStack() as stack:
        local = stack.enter_context(local_copy(file))
        if form.is_text:
            with readable(file, local):
                check_text(local, encoding, file)
            local = stack.enter_context(as_utf8(local, encoding, file))
        yield local
