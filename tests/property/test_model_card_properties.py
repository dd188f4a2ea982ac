"""A model card's tables stay tables, whatever names the data have."""

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from polyrank.card.markdown import code, document, table

NAMES = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp", "Zs")) | st.sampled_from(" |\\`*_<&[\n"), min_size=1
)


@given(NAMES)
def test_name_is_one_cell_of_its_own_characters(name: str) -> None:
    parsed = MarkdownIt("commonmark").enable("table").parse(document(table(("name", "end"), [(code(name), "end")])))
    cells = [token for token in parsed if token.type == "inline"]
    shown = ["".join(child.content for child in cell.children or ()) for cell in cells]
    assert shown == ["name", "end", name.replace("\n", "\\n").strip(), "end"]
