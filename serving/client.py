"""`Ranker`: rows in, one column per task out. It encodes with the schema that it reads from the server."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from polyrank.rows import Rows
from polyrank.signature import Signature

from .checks import check_items, not_copied
from .closing import Closing
from .core import RankerCore, Wish
from .items import Items
from .options import ClientOptions
from .ranking import User
from .served import Served
from .telemetry import Telemetry
from .waiting import finish

if TYPE_CHECKING:
    import pyarrow as pa

    from .impressions import ImpressionLog


class Ranker(Closing):
    """Client of a served ranker, over HTTP or gRPC.

    Safe to share between threads. Keeps its connections open; use it as a context manager, or call `close`.

    Args:
        url: `host:port` of the server, of either protocol; `http://`, `https://`, `grpc://` or `grpcs://` before it
            leaves no choice. Several are servers of the same model: each call goes to the one with the fewest requests
            in flight, and past those that fail.
        model: name of the model; None takes the only one that is served.
        version: the number of the version that shall answer, as text; None takes the newest that is live, at each call.
        timeout_s: time for a call as a whole, in seconds, above 0.
        options: attempts, hedging, compression, headers, TLS.
        telemetry: what counts and traces calls, such as `polyrank.serving.Metrics`.

    Raises:
        ConfigError: an argument is wrong.
        ServerUnavailableError: no server answers there.
        ModelNotReadyError: it does not serve the model, or not that version.
        DeadlineExceededError: the server did not answer in time.
        RepositoryError: the model's signature needs another version of Polyrank.
    """

    def __init__(
        self,
        url: str | Sequence[str],
        model: str | None = None,
        *,
        timeout_s: float = 10.0,
        options: ClientOptions | None = None,
        telemetry: Telemetry | None = None,
        version: str | None = None,
    ) -> None:
        self._core = RankerCore(url, model, timeout_s, options, telemetry, version=version, is_async=False)
        try:
            finish(self._core.connect())
        except BaseException:
            self.close()
            raise

    @property
    def model(self) -> str:
        """Name of the model."""
        return self._core.model

    @property
    def signature(self) -> Signature:
        """Schema, layout and origin of the model, as last read from the server."""
        return self._core.served.signature

    @property
    def version(self) -> str:
        """The model version that was last heard of."""
        return self._core.served.version

    @property
    def served(self) -> Served:
        """All that the server last said of the model over rows."""
        return self._core.served

    def score(self, rows: Rows, *, timeout_s: float | None = None, request_id: str | None = None) -> "pa.Table":
        """Score rows.

        Args:
            rows: pyarrow table or record batch, pandas or polars frame, or list of dicts. Columns that are no feature
                are ignored. More rows than the model takes in a request are split, and sent side by side.
            timeout_s: time for this call, in seconds; None takes that of the ranker.
            request_id: goes through to Triton's log; None makes one.

        Returns:
            A table in the order of `rows`, one float32 column per task; of a multiclass one a column of lists of fixed
            size, the probabilities of its classes; of an ordinal one such a column too, `<task>_probabilities`. Its
            metadata says which model and version made all of it.

        Raises:
            DataError: no rows, a feature's column is missing, or a value does not fit its feature.
            ServerUnavailableError: no server answers, or its queue is full.
            ModelNotReadyError: the server does not serve the model.
            DeadlineExceededError: the answer did not come within `timeout_s`.
            RequestError: the server refused the request.
        """
        return finish(self._core.score(rows, timeout_s, request_id))

    def items(self, rows: Rows, *, key: str | None = None) -> Items:
        """Encode a table of items once, for any number of `rank` calls.

        Args:
            rows: as those of `score`, with the columns of the item features alone.
            key: a column that names items, such as their id: answers have it, and `exclude` goes by it.

        Raises:
            DataError: as `score`, or the model has no feature of items.
        """
        return finish(self._core.items(rows, key))

    def rank(  # noqa: PLR0913 (each has a default and a name)
        self,
        user: User,
        items: Items | Rows,
        *,
        top_k: int | None = None,
        weights: Mapping[str, float] | None = None,
        exclude: Iterable[Any] | None = None,
        timeout_s: float | None = None,
        request_id: str | None = None,
        log: "ImpressionLog | None" = None,
    ) -> "pa.Table":
        """Rank items for one user.

        Args:
            user: the features of the user and the context by name; a dict, or a table of one row.
            items: from `items`, or rows of items to encode for this call.
            top_k: how many items to return, the best first; None returns all.
            weights: of the tasks in the score, 0 where left out; None weighs each with 1.
            exclude: keys of items to leave out, such as those that the user has seen.
            timeout_s: as of `score`.
            request_id: what outcomes and Triton's log name the request by; None makes one.
            log: takes down all rows of the answer as shown, the first on the first place.

        Returns:
            A table, the best item first: `item`, int64, its place in the table of items; its key, if it has one;
            `score`; and the columns that `score` gives of each task. Items of equal score are in the order of their
            table. Its metadata has the request id and the weights too.

        Raises:
            PolyrankError: as `score`.
            ConfigError: `top_k`, `weights` or `log` is wrong.
        """
        return finish(self._core.rank(user, items, Wish(top_k, weights, exclude, log), timeout_s, request_id))

    def recommend(  # noqa: PLR0913 (as `rank`)
        self,
        user: User,
        catalog: Items,
        *,
        top_k: int = 10,
        weights: Mapping[str, float] | None = None,
        exclude_seen: Iterable[Any] | None = None,
        timeout_s: float | None = None,
        request_id: str | None = None,
        log: "ImpressionLog | None" = None,
    ) -> "pa.Table":
        """Return the best of a whole catalogue for one user; as `rank`, of items that are encoded already.

        Args:
            user: as of `rank`.
            catalog: from `items`.
            top_k: how many items.
            weights: as of `rank`.
            exclude_seen: keys of items that the user has seen.
            timeout_s: as of `score`.
            request_id: as of `rank`.
            log: as of `rank`.

        Raises:
            PolyrankError: as `rank`.
        """
        check_items(catalog)
        wish = Wish(top_k, weights, exclude_seen, log)
        return finish(self._core.rank(user, catalog, wish, timeout_s, request_id))

    def close(self) -> None:
        """Close the connections. The ranker is of no use afterwards."""
        finish(self._core.close())

    def __reduce__(self) -> NoReturn:
        raise not_copied()
