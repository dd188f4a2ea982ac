"""Rollback: the version before goes live again, where the watch said so."""

from polyrank.loop.cycles import Cycle, History
from polyrank.loop.findings import PublishFound, RollbackFound
from polyrank.loop.live import control, folder_of, newest_live, superseded, versions_of
from polyrank.loop.settings import Loop

from .protocol import Done
from .publish import load_again


class RollbackStep:
    """Rolls back, unless an attempt that was cut off has."""

    name = "rollback"

    def run(self, cycle: Cycle, history: History) -> Done:  # noqa: ARG002 (that of every step)
        """Roll back, with a server to prove it where one is named."""
        from polyrank.export import rollback

        loop, published = cycle.loop, cycle.found(PublishFound)
        versions = versions_of(loop)
        live = newest_live(versions)
        before = next((each for each in versions if each.version == published.before), None)
        origin = published.before if before is None or before.origin is None else before.origin
        with control(loop) as server:
            if live is not None and live.version > published.version and live.origin == origin:
                load_again(loop, live, server)
                return _done(loop, live.version, origin, live.run_id)
            if (other := superseded(live, published.version)) is not None:
                version = None if live is None else live.version
                return Done(RollbackFound(outcome="superseded", reason=other, ends=True, version=version))
            sent = rollback(loop.repository, name=loop.model, to=published.before, server=server)
        return _done(loop, sent.version, origin, None if before is None else before.run_id)


def _done(loop: Loop, version: int, origin: int | None, run_id: str | None) -> Done:
    found = RollbackFound(
        outcome="rolled back",
        reason=f"version {version} has the files of version {origin}",
        ends=True,
        version=version,
        origin=origin,
        run_id=run_id,
    )
    return Done(found, (), (folder_of(loop, version),))
