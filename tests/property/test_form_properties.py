"""Random schemas over random tables: the batch is the same, however the rows arrive."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from random_rows.cases import Case, cases
from random_rows.forms import FORMS

from polyrank.encoder import Batch, Encoder
from polyrank.rows import columns_of


def assert_same(batch: Batch, expected: Batch) -> None:
    assert batch.named().keys() == expected.named().keys()
    for name, tensor in batch.named().items():
        assert_array_equal(tensor, expected.named()[name])


def check_form(name: str, data: st.DataObject) -> None:
    form = FORMS[name]
    case = data.draw(cases(exact=form.exact, csv=form.csv))
    encoder = Encoder(case.schema)
    expected = encoder.encode(case.without_empty_text().table if form.csv else case.table)
    assert_same(encoder.encode(form.make(case)), expected)
    columns = columns_of(form.make(case), encoder.schema.feature_columns)
    assert_same(encoder.encode_columns(columns), expected)


@pytest.mark.parametrize("name", FORMS)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_form_gives_the_batch_of_arrow(name: str, data: st.DataObject) -> None:
    check_form(name, data)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMS)
@settings(deadline=None, max_examples=600)
@given(data=st.data())
def test_form_gives_the_batch_of_arrow_in_many_cases(name: str, data: st.DataObject) -> None:
    check_form(name, data)


@settings(deadline=None)
@given(cases())
def test_a_row_does_not_depend_on_its_neighbours(case: Case) -> None:
    encoder = Encoder(case.schema)
    together = encoder.encode(case.rows)
    for index, row in enumerate(case.rows):
        assert_same(encoder.encode([row]), together[index : index + 1])
