"""Documents of every kind: all scripts, what is not seen, what no tokenizer would make."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from self_trained import DATA
from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup

THRESHOLD = 0.2
CLOSE = 1e-4
"""How far scores may lie apart that are computed in another batch."""

STRANGE = [
    "שלום עולם",
    "\u202eمرحبا بالعالم\u202c",  # noqa: RUF001
    "नमस्ते दुनिया",
    "ภาษาไทยไม่มีช่องว่าง",
    "漢字とカナ",
    "한국어 문장",
    "Ελληνικά კი հայ",
    "\U00012000\U00010330",  # cuneiform, Gothic: beyond 16 bits
    "👩‍👩‍👧‍👦🏳️‍🌈👍🏽🇨🇭🇨",
    "Z\u0351\u0368\u0360" * 5,
    "\u200b\u200d\u2060\ufeff",
    "\x00\x07\x1b[0m\x7f",
    "\x0b\x0c\x1c\x85\u2028\u2029\u00a0\u3000",
    "\ufffe\uffff\U0010ffff\ue000",
    "[CLS] [SEP] [PAD] [MASK] <<ENT>> <<SEP>>",
    "   \n\n\t ",
    "x" * 300,
    ".,;!?-_()[]{}'\"" * 4,
]
CHARACTERS = st.characters(exclude_categories=["Cs"])
KNOWN = st.sampled_from([text for text, _ in DATA])
PARTS = st.one_of(KNOWN, st.sampled_from(STRANGE), st.text(CHARACTERS, max_size=20))
TEXTS = st.lists(st.tuples(PARTS, st.sampled_from(["", " ", "\n"])), max_size=8).map(
    lambda parts: "".join(part + space for part, space in parts)
)
# No word is empty, and spaces may be anywhere: within words, and nowhere between them.
WORDS = st.one_of(
    KNOWN.map(str.split),
    st.lists(st.sampled_from(STRANGE) | st.text(CHARACTERS, min_size=1, max_size=8), max_size=3),
)
WORD_LISTS = st.lists(WORDS, max_size=6).map(
    lambda lists: [word for words in lists for word in words]
)

Spans = dict[tuple[int, int, str], float]


def for_all(
    strategy: st.SearchStrategy[Any], n_examples: int, check: Callable[[Any], None]
) -> None:
    """Hypothesis: `check` holds for so many examples, the same ones each time."""
    options = settings(
        max_examples=n_examples,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    options(given(strategy)(check))()


@st.composite
def annotated(draw: st.DrawFn, nlp: Language) -> Doc:
    """A document of any words, with entities, span groups and data that others left there."""
    words = draw(WORD_LISTS)
    spaces = draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    doc = Doc(nlp.vocab, words=words, spaces=spaces)
    place = st.integers(0, len(doc))
    for key in draw(st.sets(st.sampled_from(["sc", "other", ""]))):
        pairs = [sorted(pair) for pair in draw(st.lists(st.tuples(place, place), max_size=3))]
        spans = [Span(doc, start, end, label="OLD") for start, end in pairs if start < end]
        doc.spans[key] = SpanGroup(doc, name=key, spans=spans, attrs={"from": "before"})
    if len(doc):
        doc.set_ents([Span(doc, 0, 1, label="FIRST")])
    doc.user_data["kept"] = [1, 2]
    return doc


def found(doc: Doc) -> Spans:
    """The spans with their scores, after a look at each of them."""
    group = doc.spans["sc"]
    scores = [float(score) for score in group.attrs["scores"]]
    assert len(scores) == len(group)
    spans: Spans = {}
    for span, score in zip(group, scores, strict=True):
        assert 0 <= span.start < span.end <= len(doc)
        assert THRESHOLD <= score <= 1
        assert not doc[span.start].is_space
        assert not doc[span.end - 1].is_space
        key = (span.start, span.end, span.label_)
        assert key not in spans
        spans[key] = score
    return spans


def same(some: Spans, others: Spans) -> bool:
    """Whether scores are alike; those of spans that are not there are at most the threshold."""
    return all(
        abs(some.get(span, THRESHOLD) - others.get(span, THRESHOLD)) < CLOSE
        for span in {*some, *others}
    )


def rest(doc: Doc) -> Any:
    """All that a component should leave as it is."""
    return (
        doc.text,
        [(token.text, token.whitespace_, token.idx) for token in doc],
        [(ent.start, ent.end, ent.label_) for ent in doc.ents],
        {
            key: ([(span.start, span.end, span.label_) for span in group], dict(group.attrs))
            for key, group in doc.spans.items()
            if key != "sc"
        },
        doc.user_data,
    )
