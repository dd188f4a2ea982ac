"""The shop's users."""

import dataclasses
from typing import Any

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
        loadings: float64 [F, C], what the common factors of taste are made of.
        device: int64 [U], position in `DEVICES` of the one that the user likes best.
        rate: float64 [U], how often a user comes, up to a factor.
        activity: float64 [U], cumulated share of visits, up to 1.
        browsing: float64 [U * C], `u` plus the cumulated share of user `u`'s visits to each category.
    """

    segment: NDArray[np.int64]
    sensitivity: NDArray[np.float64]
    taste: NDArray[np.float64]
    loadings: NDArray[np.float64]
    device: NDArray[np.int64]
    rate: NDArray[np.float64]
    activity: NDArray[np.float64]
    browsing: NDArray[np.float64]


def make_shoppers(users: int, generator: np.random.Generator, older: Shoppers | None = None) -> Shoppers:
    """Invent `users` users, whose tastes are made of a few common factors; append them to `older` ones."""
    segment = generator.choice(len(SEGMENTS), users, p=[0.35, 0.45, 0.2])
    sensitivity = np.maximum(generator.normal(SENSITIVITY[segment], 0.2), 0.0)
    factors = generator.normal(size=(users, FACTORS))
    loadings = generator.normal(0.0, 0.4, (FACTORS, len(CATEGORIES))) if older is None else older.loadings
    taste = factors @ loadings
    device = generator.choice(len(DEVICES), users, p=[0.6, 0.3, 0.1])
    rate = generator.lognormal(0.0, 1.0, users)
    known = np.where(generator.random(users) < UNKNOWN_SHARE, -1, segment)
    facts = {"segment": known, "sensitivity": sensitivity, "taste": taste, "device": device, "rate": rate}
    if older is not None:
        facts = {name: np.concatenate([getattr(older, name), values]) for name, values in facts.items()}
    return _counted(facts, loadings)


def _counted(facts: dict[str, NDArray[Any]], loadings: NDArray[np.float64]) -> Shoppers:
    """Cumulate how often users come, and what they look at."""
    activity, shares = np.cumsum(facts["rate"]), np.cumsum(np.exp(facts["taste"]), axis=1)
    browsing = np.arange(len(activity))[:, None] + shares / shares[:, -1:]
    return Shoppers(**facts, loadings=loadings, activity=activity / activity[-1], browsing=browsing.ravel())
