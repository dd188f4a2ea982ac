"""What traffic of a million to a billion requests a day needs: docs/scale.md.

python benchmarks/scale.py                        # the tables of docs/scale.md
python benchmarks/scale.py --items 500 --peak 4   # with other assumptions
python benchmarks/scale.py --write                # renew docs/scale.md
python benchmarks/scale.py --check                # say whether docs/scale.md holds them as they are
python benchmarks/scale.py --log                  # bytes of a row of an impression log, for docs/benchmarks.md

Figures that were measured are read from docs/benchmarks.md and docs/evaluation.md; nothing else goes in but the
assumptions, which are options.
"""

import argparse

import msgspec
from contests import report
from demand.assumptions import Assumptions
from demand.log_bytes import bytes_a_row
from demand.measured import Measured, measured
from demand.tables import assumed_table, demand_table, limits_table, measured_table
from suite import pages

PAGE = "docs/scale.md"


def main() -> None:
    """Print the tables, or compare them with the page, or renew it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for field in msgspec.structs.fields(Assumptions):
        option = f"--{field.name.replace('_', '-')}"
        parser.add_argument(option, type=field.type, default=field.default, metavar="N")
    actions = parser.add_mutually_exclusive_group()
    for name in ("write", "check", "log"):
        actions.add_argument(f"--{name}", action="store_true")
    args = vars(parser.parse_args())
    write, check, log = (args.pop(name) for name in ("write", "check", "log"))
    if log:
        print(report.markdown([["impressions", "bytes a row"], ["the simulated shop", f"{bytes_a_row():.0f}"]]))
        return
    tables = page_tables(measured(), Assumptions(**args))
    page = (pages.ROOT / PAGE).read_text()
    renewed = filled(page, tables)
    if check and renewed != page:
        raise SystemExit("docs/scale.md holds other tables: python benchmarks/scale.py --write")
    if write:
        pages.write(PAGE, renewed)
    if not check and not write:
        print("\n\n".join(f"{name}\n\n{table}" for name, table in tables.items()))


def page_tables(found: Measured, assumed: Assumptions) -> dict[str, str]:
    """Return the tables of the page by name, as Markdown."""
    lines = {
        "measured": measured_table(found),
        "assumed": assumed_table(assumed),
        "demand": demand_table(found, assumed),
        "limits": limits_table(found, assumed),
    }
    return {name: report.markdown(table) for name, table in lines.items()}


def filled(page: str, tables: dict[str, str]) -> str:
    """Return the page with the tables between the marks of their names."""
    for name, table in tables.items():
        page = pages.filled(page, name, "benchmarks/scale.py", PAGE, table)
    return page


if __name__ == "__main__":
    main()
