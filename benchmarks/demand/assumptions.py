"""What is assumed of traffic, machines and habits: nothing here was measured."""

import msgspec


class Assumptions(msgspec.Struct, frozen=True, kw_only=True):
    """Change them to your own.

    Attributes:
        items: ranked for a request.
        shown: of them shown, each a row of the log.
        peak: requests of the busiest second, as a multiple of the mean.
        busy: share of the serving cores that the peak may use.
        requests_a_user: of a user who comes, in a day.
        catalogue: items that there are.
        embedding_dim: of users and items.
        night_hours: that training on a day's rows may take.
        ranks: machines that train together.
        rank_share: of one machine's speed that each of them keeps, when they train together.
        machine_cores: of a large machine.
        memory_gb: of such a machine, for the tables of a training.
        disk_tb: of it, for logs.
        log_days: for which logs are kept.
        network_gbit_s: of a machine.
    """

    items: int = 100
    shown: int = 10
    peak: float = 3.0
    busy: float = 0.5
    requests_a_user: float = 10.0
    catalogue: int = 1_000_000
    embedding_dim: int = 16
    night_hours: float = 4.0
    ranks: int = 8
    rank_share: float = 0.7
    machine_cores: int = 64
    memory_gb: float = 128.0
    disk_tb: float = 4.0
    log_days: int = 30
    network_gbit_s: float = 10.0


SAID: dict[str, tuple[str, str]] = {
    "items": ("items ranked for a request", ""),
    "shown": ("items shown of them, each a row of the log", ""),
    "peak": ("busiest second, as a multiple of the mean", ""),
    "busy": ("share of the serving cores that the peak may use", ""),
    "requests_a_user": ("requests a day of a user who comes", ""),
    "catalogue": ("items in the catalogue", ""),
    "embedding_dim": ("numbers of an embedding", ""),
    "night_hours": ("time that training on a day's rows may take", " h"),
    "ranks": ("machines that train together", ""),
    "rank_share": ("of one machine's speed that each of them keeps", ""),
    "machine_cores": ("cores of a large machine", ""),
    "memory_gb": ("memory of a machine that trains, for tables", " GB"),
    "disk_tb": ("disk of a machine, for logs", " TB"),
    "log_days": ("days for which logs are kept", ""),
    "network_gbit_s": ("network of a machine", " Gbit/s"),
}
"""What each is called on the page, and its unit."""
