"""Starts the supervisor of a server: the process that keeps Triton alive, see `supervisor`."""

import os
import subprocess
from pathlib import Path

from polyrank.errors import ServerStartError
from polyrank.reasons import system_reason

from .ending import remove_leftovers
from .launch import Launch
from .server_config import ServerConfig
from .supervisor import Orders

_PACKAGES = Path(__file__).parents[2]
"""The folder that holds `polyrank`; the supervisor's interpreter looks there last, and uses nothing else of it."""
_SUPERVISE = """
import sys
sys.path.append(sys.argv[1])
from polyrank.serving.supervisor import main
sys.exit(main(sys.argv[2:]))
"""


def start_supervisor(launch: Launch, config: ServerConfig, lock: int) -> "subprocess.Popen[bytes]":
    """Start the supervisor in a session of its own, so that Ctrl-C reaches the caller alone.

    Args:
        launch: What it starts.
        config: How it does so.
        lock: Descriptor of the lock of the server's folder, which goes to the supervisor.

    Raises:
        ServerStartError: The system refuses.
    """
    try:
        launch.log_file.parent.mkdir(parents=True, exist_ok=True)
        with launch.log_file.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own script and command
                [*_supervisor_command(launch, config), *launch.command()],
                bufsize=0,  # a buffer would be written once more, to a closed pipe, when it is closed
                env=launch.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=(lock,),
                start_new_session=True,
            )
    except OSError as err:
        remove_leftovers(launch.folder)
        raise ServerStartError(f"the server did not start: {system_reason(err)} ({err.filename})") from err
    finally:
        os.close(lock)


def _supervisor_command(launch: Launch, config: ServerConfig) -> list[str]:
    orders = Orders(
        folder=str(launch.folder),
        log=str(launch.log_file),
        repository=str(launch.repository),
        http_host=reachable(launch.http_host),
        http_port=launch.ports.http,
        restarts=config.restarts,
        hang_s=config.hang_s,
        ready_timeout_s=config.ready_timeout_s,
        grace_s=config.grace_s,
        headers=launch.headers,
    )
    return [str(launch.runtime.python), "-I", "-S", "-c", _SUPERVISE, str(_PACKAGES), orders.to_json()]


def reachable(host: str) -> str:
    """Return an address at which a server that listens on `host` is reached from this machine."""
    return "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - a comparison
