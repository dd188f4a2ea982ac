"""From a row to a click, from a click to a rating, from a rating to a purchase."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from .catalog import CATEGORIES, Catalog
from .shoppers import Shoppers
from .visits import Visits, hour_of

STARS = 5
DEVICE_EFFECT = np.array([0.1, 0.0, -0.3])


@dataclasses.dataclass(frozen=True, slots=True)
class Outcomes:
    """What happened, and what was to be expected; [B] each.

    Attributes:
        click: bool.
        rating: int64, 1 to 5; of no meaning without a click.
        purchase: bool.
        true_click: float64, P(click) of the row.
        true_rating: float64, expected rating of the row if it is clicked.
        true_purchase: float64, P(purchase) of the row, before anybody knows of a click.
    """

    click: NDArray[np.bool_]
    rating: NDArray[np.int64]
    purchase: NDArray[np.bool_]
    true_click: NDArray[np.float64]
    true_rating: NDArray[np.float64]
    true_purchase: NDArray[np.float64]


def make_outcomes(visits: Visits, catalog: Catalog, shoppers: Shoppers, generator: np.random.Generator) -> Outcomes:
    """Draw outcomes from their probabilities.

    Stars above the first are four throws of one coin, and who gives r of 5 stars buys with r / 5 of a chance that does
    not depend on the stars; so the expected rating and the probability of a purchase have closed forms.
    """
    appeal, taste, pain = _likings(visits, catalog, shoppers)
    true_click = true_clicks(visits, catalog, shoppers)
    coin = _sigmoid(0.7 + 0.7 * appeal + 0.5 * taste - 0.2 * pain)
    chance = _sigmoid(-1.2 + 0.3 * taste - 1.2 * pain)
    count = len(appeal)
    click = generator.random(count) < true_click
    rating = 1 + generator.binomial(STARS - 1, coin)
    purchase = click & (generator.random(count) < chance * rating / STARS)
    true_rating = 1.0 + (STARS - 1) * coin
    return Outcomes(click, rating, purchase, true_click, true_rating, true_click * chance * true_rating / STARS)


def true_clicks(visits: Visits, catalog: Catalog, shoppers: Shoppers) -> NDArray[np.float64]:
    """Return P(click) of each row, float64 [B]."""
    appeal, taste, pain = _likings(visits, catalog, shoppers)
    return _sigmoid(-1.7 + appeal + taste - pain + _circumstances(visits, catalog.category[visits.item]))


def _likings(
    visits: Visits, catalog: Catalog, shoppers: Shoppers
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return what the item is worth to all, what its category is to the user, and what the price takes away; [B]."""
    taste = shoppers.taste[visits.user, catalog.category[visits.item]]
    return catalog.appeal[visits.item], taste, shoppers.sensitivity[visits.user] * catalog.dearness[visits.item]


def _circumstances(visits: Visits, category: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the log-odds of place, device and hour; each category has its hour."""
    best_hour = 24.0 * category / len(CATEGORIES)
    daily = 0.4 * np.cos(2.0 * np.pi * (hour_of(visits.time_s) - best_hour) / 24.0)
    effects: NDArray[np.float64] = DEVICE_EFFECT[visits.device] + daily - 0.5 * np.log(visits.position)
    return effects


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    chances: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-logits))
    return chances
