"""Public data sets, and one that is simulated, as one table of logs each."""

from . import adult, census_income, kuairand, movielens, storefront

__all__ = ["adult", "census_income", "kuairand", "movielens", "storefront"]
