"""`polyrank card`: what a bundle's model is, how good it is, and where its limits are."""

import argparse
from pathlib import Path

from polyrank.files import check_output

from .output import say


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser(
        "card",
        help="write the model card of a bundle, with an evaluation if there is one",
        description="Write a model card in Markdown: what the model is, what it was trained on, how good it is, and "
        "where its limits are. A bundle has one; this one may have an evaluation in it too.",
    )
    parser.add_argument("bundle", type=Path, help="the bundle, or a version in a model repository")
    parser.add_argument("--evaluation", type=Path, metavar="FILE", help="what polyrank evaluate found of this model")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="write it there; printed when left out")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the card, or print it."""
    from polyrank.evaluation import Result
    from polyrank.export import Bundle
    from polyrank.export.carding import card_of
    from polyrank.staging import staged_file

    if args.out is not None:
        _check_out(args)
    evaluation = None if args.evaluation is None else Result.load(args.evaluation)
    bundle = Bundle.load(args.bundle)
    text = card_of(bundle, evaluation)
    if args.out is None:
        say(text, end="")
        return 0
    with staged_file(args.out) as partial:
        partial.write_text(text, encoding="utf-8")
    say(f"model card of run {bundle.signature.run_id} in {args.out}")
    return 0


def _check_out(args: argparse.Namespace) -> None:
    """Refuse a place among the files that the card is made of, unless it is that of the bundle's own card.

    Raises:
        OutputError: it is such a place, or cannot be written.
    """
    from polyrank.card import CARD_FILE

    is_own = args.out.resolve() == (args.bundle / CARD_FILE).resolve()
    inputs = () if is_own else (args.bundle,)
    check_output(args.out, inputs=inputs if args.evaluation is None else (*inputs, args.evaluation))
