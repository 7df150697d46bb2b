"""The place of each mark, against a plain reading of the rules."""

import time
import timeit

from displacy.helpers import make_doc
from hypothesis import given
from hypothesis import strategies as st

from spacy_sener.displacy.layout import lay_out
from spacy_sener.displacy.marks import Page, read_pages

N_WORDS = 30
spans = st.lists(
    st.tuples(st.integers(0, N_WORDS - 1), st.integers(1, 20)).map(
        lambda item: (item[0], min(N_WORDS, sum(item)), "x")
    ),
    max_size=12,
)


def read(n_words: int, spans: list[tuple[int, int, str]]) -> Page:
    [page] = read_pages([make_doc("word " * n_words, spans)], "sc", None)
    return page


@given(spans)
def test_a_line_is_lower_than_those_of_the_shorter_spans_it_meets(
    spans: list[tuple[int, int, str]],
) -> None:
    page = read(N_WORDS, spans)
    expected: dict[int, int] = {}
    marks = {mark.number: mark for mark in page.marks}
    for mark in sorted(marks.values(), key=lambda mark: (mark.end - mark.start, mark.number)):
        met = [marks[n] for n in expected]
        met = [one for one in met if one.start < mark.end and mark.start < one.end]
        expected[mark.number] = max((expected[one.number] + 1 for one in met), default=0)
    assert lay_out(page).levels == expected


def seconds(length: int) -> float:
    """For 4,000 spans of so many words, one at each second word."""
    page = read(8010, [(start, start + length, "x") for start in range(0, 8000, 2)])
    return min(timeit.repeat(lambda: lay_out(page), timer=time.process_time, number=1, repeat=3))


def test_a_chain_of_spans_takes_no_longer_than_as_many_alone() -> None:
    assert seconds(3) < 5 * seconds(1)
