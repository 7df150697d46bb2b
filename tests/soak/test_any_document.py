"""Whatever a document holds: no exception, spans within it, the same answers, no other change."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import spacy
from soak.documents import TEXTS, annotated, for_all, found, rest, same
from spacy.language import Language
from spacy.tokens import Doc

pytestmark = pytest.mark.filterwarnings("ignore:.*word pieces each; only the first:UserWarning")
N_EXAMPLES = [12, pytest.param(1500, marks=pytest.mark.slow)]


@pytest.mark.parametrize("n_examples", N_EXAMPLES)
def test_any_text(nlp: Language, folder: Path, n_examples: int, record_property: Any) -> None:
    loaded = spacy.load(folder)
    counts = {"documents": 0, "spans": 0}

    def check(text: str) -> None:
        before = nlp.make_doc(text)
        doc = nlp(text)
        assert doc.text == text
        assert rest(doc) == rest(before)
        spans = found(doc)
        others = ["Anna Keller worked in London .", text, "", text[::-1]]
        batch = list(nlp.pipe(others))
        assert [doc.text for doc in batch] == others
        assert same(found(batch[1]), spans)
        assert same(found(loaded(text)), spans)
        counts["documents"] += len(others) + 2
        counts["spans"] += len(spans)

    for_all(TEXTS, n_examples, check)
    assert counts["spans"] > n_examples  # or there was nothing to look at
    for name, count in counts.items():
        record_property(name, count)


@pytest.mark.parametrize("n_examples", N_EXAMPLES)
def test_any_words_and_what_others_left_there(
    nlp: Language, n_examples: int, record_property: Any
) -> None:
    counts = {"documents": 0, "spans": 0}

    def check(doc: Doc) -> None:
        before = deepcopy(rest(doc))
        words, spaces = [t.text for t in doc], [bool(t.whitespace_) for t in doc]
        alone = Doc(nlp.vocab, words=words, spaces=spaces)
        spans = found(nlp(doc))
        assert rest(doc) == before
        assert same(found(nlp(alone)), spans)
        assert same(found(nlp(doc)), spans)  # a second time
        counts["documents"] += 3
        counts["spans"] += len(spans)

    for_all(annotated(nlp), n_examples, check)
    assert counts["spans"] > n_examples
    for name, count in counts.items():
        record_property(name, count)


SLOW_CHARACTERS = [
    pytest.param(each, marks=pytest.mark.slow) for each in ("👍🏽", "\u200d", "\u0301")
]


@pytest.mark.filterwarnings("ignore:A text of .* words has .* spans:UserWarning")
@pytest.mark.parametrize("character", ["x", "漢", *SLOW_CHARACTERS])
def test_tokens_of_a_hundred_thousand_characters(nlp: Language, character: str) -> None:
    """One among others, and two side by side. To GLiNER's splitter an emoji is a word or two."""
    words = ["Anna", character * 100_000, character * 100_000, "Keller"]
    text = " ".join(words)
    doc = nlp(Doc(nlp.vocab, words=words, spaces=[True] * (len(words) - 1) + [False]))
    assert doc.text == text
    found(doc)


def test_what_is_only_whitespace(nlp: Language) -> None:
    for text in ("", " ", "\n" * 100_000, " \t\u3000\u2028", "\u200b", "\ufeff \u2060"):
        assert found(nlp(text)) == {}


def test_half_a_character_is_refused_by_spacy_itself(nlp: Language) -> None:
    """No text with a lone surrogate can be a document: spaCy keeps strings as UTF-8."""
    with pytest.raises(UnicodeEncodeError, match="surrogates not allowed"):
        nlp("Anna \ud800 Keller")
    assert found(nlp("Anna Keller worked in London ."))


class Characters:
    """A tokenizer that takes each character for a word, without knowing spaces."""

    def __init__(self, nlp: Language) -> None:
        self.vocab = nlp.vocab

    def __call__(self, text: str) -> Doc:
        return Doc(self.vocab, words=list(text), spaces=[False] * len(text))


def test_another_tokenizer(folder: Path) -> None:
    nlp = spacy.load(folder)
    nlp.tokenizer = Characters(nlp)
    text = "Anna\u200bKeller 漢字 \n 👍🏽."
    doc = nlp(text)
    assert [token.text for token in doc] == list(text)
    spans = found(doc)
    [other] = nlp.pipe([text])
    assert same(found(other), spans)


def test_components_before_and_after(folder: Path, nlp: Language) -> None:
    """They see and keep what they should; a merged token takes its spans along."""
    text = "Anna Keller worked at the University of Zurich in London . Peter Brown was in Berlin ."
    expected = found(nlp(text))
    name = nlp.pipe_names[-1]
    crowded = spacy.load(folder)
    crowded.add_pipe("sentencizer", first=True)
    rules = crowded.add_pipe("entity_ruler", before=name)
    rules.add_patterns([{"label": "RULED", "pattern": "Anna Keller"}])  # type: ignore[attr-defined]
    spans = crowded.add_pipe("span_ruler", config={"spans_key": "ruled"}, before=name)
    spans.add_patterns([{"label": "RULED", "pattern": "Zurich"}])  # type: ignore[attr-defined]
    crowded.add_pipe("doc_cleaner", config={"attrs": {"tensor": None}})
    for doc in (crowded(text), *crowded.pipe([text])):
        assert same(found(doc), expected)
        assert [ent.text for ent in doc.ents] == ["Anna Keller"]
        assert [span.text for span in doc.spans["ruled"]] == ["Zurich"]
        assert len(list(doc.sents)) == 2
    crowded.add_pipe("merge_entities")
    merged = crowded(text)
    texts = sorted(nlp(text)[start:end].text for start, end, _ in expected)
    assert merged[0].text == "Anna Keller"
    group = merged.spans["sc"]
    assert len(group) == len(group.attrs["scores"]) == len(texts)
