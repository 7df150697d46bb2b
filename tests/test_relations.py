"""Relations of a document go where its user data goes."""

import warnings
from collections.abc import Iterator

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span, Token

from spacy_sener.relations import Relation, add_extension, read_relations

add_extension()
NLP = spacy.blank("en")
TEXT = "Ada wrote notes. Charles built engines in London."


def related(text: str = TEXT) -> Doc:
    """With "Charles built engines" and "Charles in London"."""
    doc = NLP(text)
    head = Span(doc, 4, 5, label="PERSON", kb_id="Q46633", span_id="charles")
    doc._.relations = [
        Relation(head, "built", Span(doc, 6, 7, label="built"), 0.75),
        Relation(head, "in", Span(doc, 8, 9, label="in"), 0.5),
    ]
    return doc


def described(doc: Doc) -> list[tuple[str, str, str, float]]:
    return [(r.head.text, r.label, r.tail.text, r.score) for r in doc._.relations]


BOTH = [("Charles", "built", "engines", 0.75), ("Charles", "in", "London", 0.5)]


def test_there_are_none_at_first() -> None:
    assert NLP(TEXT)._.relations == []


def test_what_was_set_comes_back_with_all_that_a_span_carries() -> None:
    doc = related()
    assert described(doc) == BOTH
    head = doc._.relations[0].head
    assert (head.label_, head.kb_id_, head.id_) == ("PERSON", "Q46633", "charles")
    assert doc._.relations[1].tail.label_ == "in"
    assert doc._.relations[0].head.doc is doc


def test_setting_them_again_replaces_them() -> None:
    doc = related()
    doc._.relations = doc._.relations[1:]
    assert described(doc) == BOTH[1:]
    doc._.relations = []
    assert doc._.relations == []
    assert doc.user_data == {}


def test_they_survive_bytes_doc_bins_copies_and_pickles() -> None:
    doc = related()
    bin_ = DocBin(store_user_data=True, docs=[doc])
    (from_bin,) = DocBin().from_bytes(bin_.to_bytes()).get_docs(spacy.blank("en").vocab)
    from_bytes = Doc(spacy.blank("en").vocab).from_bytes(doc.to_bytes())
    for copy in (from_bin, from_bytes, doc.copy()):
        assert described(copy) == BOTH
        assert copy._.relations[0].head.label_ == "PERSON"
        assert copy._.relations[0].head.doc is copy
    # A document from elsewhere can be given further ones.
    from_bin._.relations = [*from_bin._.relations, from_bin._.relations[0]]
    assert described(from_bin) == [*BOTH, BOTH[0]]


def test_joined_documents_have_those_of_all() -> None:
    doc = Doc.from_docs([NLP("Nobody here."), related(), related()])
    assert described(doc) == BOTH * 2
    assert [r.head.start for r in doc._.relations] == [7, 7, 17, 17]


def test_a_part_of_a_document_has_those_that_lie_in_it() -> None:
    doc = related()
    assert described(doc[4:].as_doc(copy_user_data=True)) == BOTH
    assert described(doc[4:8].as_doc(copy_user_data=True)) == BOTH[:1]
    assert described(doc[5:].as_doc(copy_user_data=True)) == []
    doc._.relations = [Relation(doc[4:6], "in", doc[8:9], 0.5)]
    for part in (doc[5:], doc[3:8]):
        assert described(part.as_doc(copy_user_data=True)) == []
    doc._.relations = [Relation(doc[8:9], "of", doc[4:6], 0.5)]
    assert described(doc[5:].as_doc(copy_user_data=True)) == []


def test_tokens_may_be_merged() -> None:
    doc = related()
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:2])
        retokenizer.merge(doc[4:6])
    assert described(doc) == [
        ("Charles built", "built", "engines", 0.75),
        ("Charles built", "in", "London", 0.5),
    ]


def test_spans_of_another_document_are_refused() -> None:
    doc, other = related(), NLP(TEXT)
    with pytest.raises(
        ValueError, match="of this document: Relation\\(head=Charles, label='built'"
    ):
        other._.relations = doc._.relations
    assert other._.relations == []


def test_an_end_that_was_cut_off_is_not_found_in_another_document() -> None:
    other = NLP("Here is a text of somebody else, of whom nothing is known.")
    doc = related()
    for cut in (doc[5:], doc[:6]):
        part = cut.as_doc(copy_user_data=True)
        for docs in ([other, part], [part, other]):
            assert described(Doc.from_docs(docs)) == []
    assert described(Doc.from_docs([other, doc[4:8].as_doc(copy_user_data=True)])) == BOTH[:1]


def test_spans_and_tokens_may_have_relations_of_ones_own(own: None) -> None:
    doc = related()
    doc[4:6]._.relations, doc[:]._.relations, doc[0]._.relations = "founder", 1, ["x"]
    assert described(doc) == BOTH
    doc._.relations = []
    assert doc[4:6]._.relations == "founder"
    assert doc[:]._.relations == 1
    assert doc[0]._.relations == ["x"]


@pytest.fixture
def own() -> Iterator[None]:
    Span.set_extension("relations", default=None)
    Token.set_extension("relations", default=None)
    yield
    Span.remove_extension("relations")
    Token.remove_extension("relations")


@pytest.fixture
def extension() -> Iterator[None]:
    """Ours is there again at the end."""
    yield
    Doc.remove_extension("relations")
    add_extension()


def test_an_extension_of_that_name_is_left_alone_until_a_component_needs_it(
    extension: None,
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        add_extension()
        Doc.remove_extension("relations")
        nlp = spacy.blank("en")  # imports all components that are installed
        assert not Doc.has_extension("relations")
        Doc.set_extension("relations", default=())
        nlp.add_pipe("sener")
        assert nlp.make_doc("a")._.relations == ()
    with pytest.warns(UserWarning, match=r"doc\._\.relations was another extension"):
        nlp.add_pipe("gliner_multitask")
    assert Doc.get_extension("relations")[2] is read_relations
