"""Adult: people of the census of 1994, the smaller sister of Census-Income.

UCI Machine Learning Repository, data set 2, CC BY 4.0.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.arguments import path

from .census_rows import equals, read_people

if TYPE_CHECKING:
    import pyarrow as pa

HOME = "https://archive.ics.uci.edu/dataset/2"
OUTCOMES = ("income_above_50k", "never_married", "marital_status")
"""Labels, and the column that one of them is made of: never features."""
COLUMNS = (
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education_num",
    "marital_status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital_gain",
    "capital_loss",
    "hours_per_week",
    "native_country",
    "income",
)
"""As `adult.names` lists them, which gives no header to the files themselves."""
INTEGERS = frozenset({"age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours_per_week"})


def load(folder: str | Path) -> "pa.Table":
    """Read the folder's `adult.data` and `adult.test`, or the one that is there, plain or `.gz`.

    Adds `income_above_50k` and `never_married`. `fnlwgt` says for how many people a row stands.

    Raises:
        DataError: neither file is there, or one is damaged; the message names file and row.
    """
    import pyarrow as pa

    types = {name: pa.int64() if name in INTEGERS else pa.string() for name in COLUMNS}
    table = read_people(path("folder", folder), "adult", types, home=HOME)
    return table.append_column("never_married", equals(table["marital_status"], "Never-married"))


def schema_name(_: "pa.Table") -> str:
    """Return the name of the shipped schema."""
    return "adult"
