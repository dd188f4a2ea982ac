"""Verify: the version answers golden rows as the trained model does, on the server where one is named."""

import shlex
from typing import TYPE_CHECKING

from polyrank.errors import ParityError
from polyrank.loop.cycles import GRAPH_FILE, Cycle, History
from polyrank.loop.findings import PublishFound, VerifyFound
from polyrank.loop.live import control, folder_of, live_version, superseded
from polyrank.loop.settings import Loop

from .protocol import Done

if TYPE_CHECKING:
    from polyrank.export import LiveCheck


class VerifyStep:
    """Asks for golden rows."""

    name = "verify"

    def run(self, cycle: Cycle, history: History) -> Done:  # noqa: ARG002 (that of every step)
        """Ask the server, or the files of the version, unless another is live by now.

        Raises:
            ParityError: an answer differs by more than its precision allows.
        """
        from polyrank.export import Bundle, check_live
        from polyrank.export.bundle import check_golden

        loop, published = cycle.loop, cycle.found(PublishFound)
        if (other := superseded(live_version(loop), published.version)) is not None:
            return Done(VerifyFound(outcome="superseded", reason=other, ends=True, server=None))
        folder = folder_of(loop, published.version)
        with control(loop) as server:
            if server is None:
                bundle = Bundle.load(folder)
                check_golden(bundle, bundle.model_file)
                reason = "its files answer golden rows; no server is named in $.publish.server"
                return Done(VerifyFound(outcome="proven", reason=reason, server=None), (folder / GRAPH_FILE,))
            checks = check_live(server, cycle.bundle, name=loop.model)
        for check in checks:
            if not check.is_well:
                raise ParityError(_differs(loop, check, server.url))
        answered = ", ".join(f"{check.model} version {check.version}" for check in checks)
        found = VerifyFound(
            outcome="proven",
            reason=f"{answered} at {server.url}",
            server=server.url,
            differences={check.model: check.differences for check in checks},
        )
        return Done(found, (cycle.bundle_graph,))


def _differs(loop: Loop, check: "LiveCheck", url: str) -> str:
    worst = max(check.differences, key=lambda name: check.differences[name])
    back = shlex.join(["polyrank", "rollback", str(loop.repository), "--name", loop.model, "--url", url])
    return (
        f"{check.model} version {check.version} at {url}: output {worst!r} differs by "
        f"{check.differences[worst]:.1e} (limit {check.tolerance:.0e}); go back with: {back}"
    )
