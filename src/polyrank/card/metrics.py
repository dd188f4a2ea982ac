"""What metrics are, in words."""

from collections.abc import Iterator

from polyrank.metrics.registry import metrics_of

from .facts import Facts
from .markdown import bullets, code, section, table

WORDS = {
    "auc": "share of pairs of a 1 and a 0 in which the 1 has the higher answer; 0.5 is chance",
    "gauc": "`auc` within each group, averaged by the weight of its rows",
    "log_loss": "mean of minus the logarithm of the probability that the label was given",
    "normalized_entropy": "`log_loss` as a share of that of the mean label as the answer to every row",
    "calibration_error": "mean over 10 bins of answers of the distance of mean answer and mean label",
    "calibration": "sum of the answers over that of the labels",
    "ndcg@10": "discounted gain of the best 10 rows of a group, as a share of the most it could be",
    "recall@10": "share of a group's 1s that are among its best 10",
    "rmse": "root of the mean squared error, in units of the label",
    "mae": "mean absolute error, in units of the label",
    "xauc": "share of pairs of different labels whose answers are in the same order; 0.5 is chance",
    "rmsle": "`rmse` of log1p of answers and labels",
    "poisson_deviance": "deviance of a Poisson distribution with the answers as means",
    "quadratic_kappa": "agreement of answers with levels beyond chance, errors weighed by their squares",
    "accuracy": "share of rows whose nearest level, or likeliest class, is the label",
    "macro_auc": "`auc` of each class against the rest, averaged",
}
BEST = {"high": "high", "low": "low", "one": "near 1"}


def metric_lines(facts: Facts) -> Iterator[str]:
    """Give the section."""
    schema, record = facts.signature.schema, facts.record
    grouped = schema.group is not None
    metrics = {metric.name: metric for task in schema.tasks for metric in metrics_of(task, grouped=grouped)}
    rows = [(code(name), WORDS[name], BEST[metric.best]) for name, metric in metrics.items()]
    points = ["A metric is of the rows whose label is observed."]
    if schema.group is not None:
        points.append(f"Groups are the values of {code(schema.group)}.")
    if schema.sample_weight is not None:
        points.append(f"Rows are weighed by {code(schema.sample_weight)}.")
    resamples = 0 if record is None else record.config.get("validation", {}).get("resamples", 0)
    if resamples and record is not None and record.intervals:
        points.append(
            f"Intervals of the validation are of 95%, from {resamples:,} resamples of the rows, or of the groups where "
            "there are some. All intervals tell of chance in the rows that were drawn, not of a change of users, items "
            "or time."
        )
    yield from section("Metrics", table(("metric", "what it is", "good is"), rows), bullets(points))
