"""Weights of gradients from their inner products, as torchjd computes them."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from polyrank.errors import MissingExtraError

from .config import BalancingConfig
from .nash import nash_weights

if TYPE_CHECKING:
    from torchjd.linalg import DualConeProjector


class Weighting(Protocol):
    """Finds weights of gradients; those that treat all alike are 1, so that learning rates fit every method."""

    def __call__(self, gramian: Tensor) -> Tensor:
        """Return weights, float64 (K,).

        Args:
            gramian: inner products of K >= 2 gradients, float64 (K, K), with a mean of 1 on the diagonal: some methods
                take small gradients for none.
        """

    def state_dict(self) -> dict[str, Tensor]:
        """Return copies of all that later weights depend on."""

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state_dict` gave."""


class MeanWeighting:
    """A method whose result is a mean of gradients, made a sum."""

    def __init__(self, weigh: Callable[[Tensor], Tensor]) -> None:
        self.weigh = weigh

    def __call__(self, gramian: Tensor) -> Tensor:
        """Return weights (K,); see `Weighting`."""
        return len(gramian) * self.weigh(gramian)

    def state_dict(self) -> dict[str, Tensor]:
        """Return copies of all that later weights depend on: nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state_dict` gave."""


class ProjectionWeighting:
    """PCGrad, which projects in a random order, drawn from a generator of its own."""

    def __init__(self, weigh: Callable[[Tensor], Tensor], seed: int) -> None:
        self.weigh = weigh
        self.random = torch.Generator().manual_seed(seed).get_state()

    def __call__(self, gramian: Tensor) -> Tensor:
        """Return weights (K,); see `Weighting`."""
        # torchjd draws from the global generator, which belongs to the run: initial weights and dropout.
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self.random)
            weights = self.weigh(gramian)
            self.random = torch.get_rng_state()
        return weights

    def state_dict(self) -> dict[str, Tensor]:
        """Return a copy of the state of the generator."""
        return {"random": self.random.clone()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state_dict` gave."""
        self.random = state["random"].clone()


def build_weighting(config: BalancingConfig, seed: int) -> Weighting:
    """Make the weighting of a method that looks at gradients.

    Yu et al., Gradient Surgery for Multi-Task Learning, NeurIPS 2020, algorithm 1 (PCGrad); Liu et al., Conflict-Averse
    Gradient Descent for Multi-task Learning, NeurIPS 2021, algorithm 1 (CAGrad); Quinton and Rey, Jacobian Descent for
    Multi-Objective Optimization, arXiv 2406.16232, 2024, section 3 (UPGrad); Sener and Koltun, Multi-Task Learning as
    Multi-Objective Optimization, NeurIPS 2018, algorithm 2 (MGDA); `nash_weights` (Nash-MTL).

    Raises:
        MissingExtraError: the library torchjd, or a solver that the method needs, is not installed.
    """
    if config.method == "nash_mtl":
        return MeanWeighting(nash_weights)
    try:
        from torchjd.aggregation import CAGradWeighting, MGDAWeighting, PCGradWeighting, UPGradWeighting

        match config.method:
            case "pcgrad":
                return ProjectionWeighting(PCGradWeighting(), seed)
            case "cagrad":
                return MeanWeighting(CAGradWeighting(config.c))
            case "upgrad":
                return MeanWeighting(UPGradWeighting(projector=_projector()))
        return MeanWeighting(MGDAWeighting())
    except ImportError as err:
        raise MissingExtraError(
            f"$.balancing.method = {config.method!r} needs torchjd; pip install 'polyrank[balancing]'"
        ) from err


def _projector() -> "DualConeProjector":
    """Make what UPGrad projects with, from scipy: torchjd's own needs a solver under the GPL."""
    from scipy.optimize import nnls
    from torchjd.linalg import DualConeProjector, PSDMatrix

    class Projector(DualConeProjector):
        def __call__(self, U: Tensor, G: PSDMatrix) -> Tensor:  # noqa: N803 (names of the library)
            """Minimise `v G v` over `v >= u`, for each row u of U: with `G = R R'`, `|R'u + R'd|` over `d >= 0`."""
            values, vectors = np.linalg.eigh(G.numpy())
            root = np.sqrt(values.clip(min=0.0))[:, None] * vectors.T  # R'
            return torch.stack([row + torch.from_numpy(nnls(root, -root @ row.numpy())[0]) for row in U])

    return Projector()
