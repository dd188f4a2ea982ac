"""The study on disk: a journal that a new line is added to for whatever happens, so that a kill loses one at most."""

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.errors import ConfigError, MissingExtraError, OutputError
from polyrank.reasons import system_reason
from polyrank.train.locking import locked_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna import Study

JOURNAL = "study.journal"
STUDY = "polyrank"
MADE_OF = "made_of"
INTERRUPTED = "interrupted"


@contextlib.contextmanager
def opened_study(folder: Path, made_of: str) -> "Iterator[Study]":
    """Yield the study of a folder, which is made where there is none, to this process alone.

    Trials that a process did not end, since it was stopped, are marked as failed.

    Args:
        folder: where it is.
        made_of: what it searches, as a digest; a study is continued only with the same.

    Raises:
        ConfigError: the study there searches something else.
        MissingExtraError: Optuna is not installed.
        OutputError: the folder cannot be written, another process searches there, or its journal is damaged.
    """
    with locked_folder(folder, "search"):
        study = _load(folder / JOURNAL)
        if study.user_attrs.setdefault(MADE_OF, made_of) != made_of:
            raise ConfigError(
                f"{folder} holds a search of another schema, configuration, metric or data; choose another folder"
            )
        study.set_user_attr(MADE_OF, made_of)
        _end_interrupted(study)
        yield study


def _load(journal: Path) -> "Study":
    try:
        import optuna
        from optuna.storages.journal import JournalFileBackend, JournalStorage
    except ImportError as err:
        raise MissingExtraError("polyrank tune needs optuna; pip install 'polyrank[tune]'") from err
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        _drop_torn_line(journal)
        for left in journal.parent.glob(f"{JOURNAL}.lock*"):  # of a process that was killed: the folder is ours
            left.unlink()
        storage = JournalStorage(JournalFileBackend(str(journal)))
        return optuna.create_study(study_name=STUDY, storage=storage, direction="minimize", load_if_exists=True)
    except OSError as err:
        reason = system_reason(err)
        raise OutputError(f"cannot write {journal}: {reason}; choose another folder for the search") from err
    except (ValueError, KeyError, TypeError, AttributeError) as err:  # what it makes of a line that is none of its own
        raise OutputError(f"{journal} is damaged; remove it, or choose another folder for the search") from err


def _drop_torn_line(journal: Path) -> None:
    """Cut off the start of a line that a kill left, which the next line would be glued to."""
    if journal.exists():
        text = journal.read_bytes()
        os.truncate(journal, text.rfind(b"\n") + 1)


def _end_interrupted(study: "Study") -> None:
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        # Through the storage: a study sets attributes of a trial only by the object that it gave for it.
        study._storage.set_trial_user_attr(trial._trial_id, "state", INTERRUPTED)  # noqa: SLF001
        study.tell(trial.number, state=TrialState.FAIL)
