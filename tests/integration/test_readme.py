"""What the README promises beside its code, which test_pages runs."""

from artefacts.pages import ROOT, blocks

README = ROOT / "README.md"


def test_schema_block_is_a_valid_schema() -> None:
    from polyrank.schema import Schema

    (block,) = [block for block in blocks(README) if block.language == "toml"]
    assert Schema.from_toml(block.text).feature_columns == ("video_id",)


def test_readme_is_short_and_names_both_commands() -> None:
    text = README.read_text()
    assert "make demo" in text
    assert "make test" in text
    assert len(text.splitlines()) <= 150
