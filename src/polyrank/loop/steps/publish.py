"""Publish: the bundle goes live as the next version."""

from typing import TYPE_CHECKING

from polyrank.loop.cycles import Cycle, History
from polyrank.loop.findings import PublishFound, TrainFound
from polyrank.loop.live import control, folder_of, newest_live, versions_of
from polyrank.loop.settings import Loop

from .protocol import Done

if TYPE_CHECKING:
    from polyrank.export import ServingOptions, VersionInfo
    from polyrank.serving import ModelControl


class PublishStep:
    """Publishes, unless the run is live by an attempt that was cut off."""

    name = "publish"

    def run(self, cycle: Cycle, history: History) -> Done:  # noqa: ARG002 (that of every step)
        """Publish, with a server to prove it where one is named."""
        from polyrank.export import publish

        loop, run_id = cycle.loop, cycle.found(TrainFound).run_id
        options, settings = _options(loop), loop.settings.publish
        versions = versions_of(loop)
        live = newest_live(versions)
        before = _before(versions, run_id)
        with control(loop) as server:
            if live is not None and live.run_id == run_id and _is_whole(loop, cycle, live.version, options):
                load_again(loop, live, server)
                return _done(cycle, live.version, before)
            sent = publish(
                cycle.bundle, loop.repository, name=loop.model, options=options, keep=settings.keep, server=server
            )
        return _done(cycle, sent.version, before)


def _before(versions: "list[VersionInfo]", run_id: str) -> int | None:
    """Return the version that was live before a run went live: the newest that is or was live, and of another run."""
    live = newest_live(versions)
    if live is None:
        return None
    return next((each.version for each in versions if each.version <= live.version and each.run_id != run_id), None)


def load_again(loop: Loop, live: "VersionInfo", server: "ModelControl | None") -> None:
    """Have a server load the models of a version that was put in place, maybe after it looked last."""
    from polyrank.export.model_directory import VersionRecord

    if server is None:
        return
    for name in VersionRecord.load(folder_of(loop, live.version)).models:
        server.load(name)


def _is_whole(loop: Loop, cycle: Cycle, version: int, options: "ServingOptions") -> bool:
    """Say whether all models of a bundle have a version: they go into the repository one after the other."""
    from polyrank.export.bundle import Bundle
    from polyrank.export.servable import servables_of

    names = [each.name for each in servables_of(Bundle.load(cycle.bundle), loop.model, options)]
    return all((loop.repository / name / str(version)).is_dir() for name in names)


def _options(loop: Loop) -> "ServingOptions":
    from polyrank.export import ServingOptions

    written = loop.settings.publish.options
    return ServingOptions() if written is None else ServingOptions.load(loop.path(written))


def _done(cycle: Cycle, version: int, before: int | None) -> Done:
    loop, run_id = cycle.loop, cycle.found(TrainFound).run_id
    after = "the first" if before is None else f"after version {before}"
    found = PublishFound(
        outcome="published",
        reason=f"{loop.model} version {version}, {after}",
        model=loop.model,
        version=version,
        run_id=run_id,
        before=before,
    )
    return Done(found, (cycle.bundle_graph,), (folder_of(loop, version),))
