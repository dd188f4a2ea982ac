"""The steps of a cycle, in their order: one module each."""

from collections.abc import Sequence

from .drift import DriftStep
from .evaluate import EvaluateStep
from .parity import ParityStep
from .protocol import Done as Done
from .protocol import Step as Step
from .protocol import Waiting as Waiting
from .publish import PublishStep
from .rollback import RollbackStep
from .rows import RowsStep
from .train import TrainStep
from .verify import VerifyStep
from .watch import WatchStep


def steps() -> Sequence[Step]:
    """Return all steps."""
    return (
        RowsStep(),
        DriftStep(),
        TrainStep(),
        EvaluateStep(),
        ParityStep(),
        PublishStep(),
        VerifyStep(),
        WatchStep(),
        RollbackStep(),
    )
