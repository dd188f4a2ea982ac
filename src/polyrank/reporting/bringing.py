"""The commands that bring what a report lacks."""

TRAIN = "polyrank train ROWS --schema schema.toml --out RUN"
EVALUATE = "polyrank evaluate RUN ROWS --out evaluation.json"
COMPARE = "polyrank compare ROWS --schema schema.toml --out RUNS --json > comparison.json"
EXPORT = "polyrank export RUN --out BUNDLE"
LOADTEST = "polyrank loadtest URL ROWS --rates 100 200 400 --json > load.json"
