"""The shop's users."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from .catalog import CATEGORIES
from .words import DEVICES, SEGMENTS

FACTORS = 4
UNKNOWN_SHARE = 0.05
SENSITIVITY = np.array([0.9, 0.5, 0.1])
"""Mean log-odds that a standard deviation of price takes from a click, by segment."""


@dataclasses.dataclass(frozen=True, slots=True)
class Shoppers:
    """Users, numbered from 0; user `u` has the id `u + 1`.

    Attributes:
        segment: int64 [U], position in `SEGMENTS`; -1 where the shop does not know it.
        sensitivity: float64 [U], log-odds that a standard deviation of price takes from a click.
        taste: float64 [U, C], log-odds that a category adds to a click.
        device: int64 [U], position in `DEVICES` of the one that the user likes best.
        activity: float64 [U], cumulated share of visits, up to 1.
        browsing: float64 [U * C], `u` plus the cumulated share of user `u`'s visits to each category.
    """

    segment: NDArray[np.int64]
    sensitivity: NDArray[np.float64]
    taste: NDArray[np.float64]
    device: NDArray[np.int64]
    activity: NDArray[np.float64]
    browsing: NDArray[np.float64]


def make_shoppers(users: int, generator: np.random.Generator) -> Shoppers:
    """Invent `users` users, whose tastes are made of a few common factors."""
    segment = generator.choice(len(SEGMENTS), users, p=[0.35, 0.45, 0.2])
    sensitivity = np.maximum(generator.normal(SENSITIVITY[segment], 0.2), 0.0)
    factors = generator.normal(size=(users, FACTORS))
    taste = factors @ generator.normal(0.0, 0.4, (FACTORS, len(CATEGORIES)))
    device = generator.choice(len(DEVICES), users, p=[0.6, 0.3, 0.1])
    activity = np.cumsum(generator.lognormal(0.0, 1.0, users))
    shares = np.cumsum(np.exp(taste), axis=1)
    browsing = np.arange(users)[:, None] + shares / shares[:, -1:]
    known = np.where(generator.random(users) < UNKNOWN_SHARE, -1, segment)
    return Shoppers(known, sensitivity, taste, device, activity / activity[-1], browsing.ravel())
