"""Census-Income (KDD): people of the Current Population Surveys of 1994 and 1995, the classic pair of tasks.

UCI Machine Learning Repository, data set 117, CC BY 4.0.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.arguments import path

from .census_rows import equals, read_people

if TYPE_CHECKING:
    import pyarrow as pa

HOME = "https://archive.ics.uci.edu/dataset/117"
OUTCOMES = ("income_above_50k", "never_married", "marital_stat", "detailed_household_and_family_stat")
"""Labels, the column that one of them is made of, and one that says nearly the same: no features."""
COLUMNS = (
    "age",
    "class_of_worker",
    "detailed_industry_recode",
    "detailed_occupation_recode",
    "education",
    "wage_per_hour",
    "enroll_in_edu_inst_last_wk",
    "marital_stat",
    "major_industry_code",
    "major_occupation_code",
    "race",
    "hispanic_origin",
    "sex",
    "member_of_a_labor_union",
    "reason_for_unemployment",
    "full_or_part_time_employment_stat",
    "capital_gains",
    "capital_losses",
    "dividends_from_stocks",
    "tax_filer_stat",
    "region_of_previous_residence",
    "state_of_previous_residence",
    "detailed_household_and_family_stat",
    "detailed_household_summary_in_household",
    "instance_weight",
    "migration_code_change_in_msa",
    "migration_code_change_in_reg",
    "migration_code_move_within_reg",
    "live_in_this_house_1_year_ago",
    "migration_prev_res_in_sunbelt",
    "num_persons_worked_for_employer",
    "family_members_under_18",
    "country_of_birth_father",
    "country_of_birth_mother",
    "country_of_birth_self",
    "citizenship",
    "own_business_or_self_employed",
    "fill_inc_questionnaire_for_veterans_admin",
    "veterans_benefits",
    "weeks_worked_in_year",
    "year",
    "income",
)
"""As `census-income.names` lists them, which gives no header to the files themselves."""
INTEGERS = frozenset(
    {
        "age",
        "detailed_industry_recode",
        "detailed_occupation_recode",
        "wage_per_hour",
        "capital_gains",
        "capital_losses",
        "dividends_from_stocks",
        "num_persons_worked_for_employer",
        "own_business_or_self_employed",
        "veterans_benefits",
        "weeks_worked_in_year",
        "year",
    }
)


def load(folder: str | Path) -> "pa.Table":
    """Read the folder's `census-income.data` and `census-income.test`, or the one that is there, plain or `.gz`.

    Adds `income_above_50k` and `never_married`. `instance_weight` says for how many people a row stands.

    Raises:
        DataError: neither file is there, or one is damaged; the message names file and row.
    """
    import pyarrow as pa

    types = {name: pa.int64() if name in INTEGERS else pa.string() for name in COLUMNS}
    table = read_people(path("folder", folder), "census-income", types | {"instance_weight": pa.float64()}, home=HOME)
    return table.append_column("never_married", equals(table["marital_stat"], "Never married"))


def schema_name(_: "pa.Table") -> str:
    """Return the name of the shipped schema."""
    return "census-income"
