"""What old cycles leave behind, removed once nobody needs it."""

import shutil

from polyrank.errors import RepositoryError

from .cycles import History
from .findings import TrainFound
from .live import versions_of
from .settings import Loop


def tidy(loop: Loop) -> None:
    """Remove rows, bundles and runs of all but the newest cycles, where settings say how many.

    Records stay, the runs of versions that are in the repository, and the rows that the next ones are compared with.
    """
    keep = loop.settings.loop.keep_cycles
    if keep is None:
        return
    history = History.read(loop)
    last = history.last_with(TrainFound)
    try:
        runs = {each.run_id for each in versions_of(loop)}
    except RepositoryError:  # which runs are needed is not known now; the next step says what is wrong
        return
    for cycle in history.cycles[:-keep]:
        if last is None or cycle.number != last.number:  # whose rows the next ones are compared with
            shutil.rmtree(cycle.rows, ignore_errors=True)
        shutil.rmtree(cycle.bundle, ignore_errors=True)
        trained = cycle.find(TrainFound)
        if trained is not None and trained.run_id not in runs:
            shutil.rmtree(cycle.run, ignore_errors=True)
