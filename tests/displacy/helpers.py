"""Documents for the block view, and its HTML read back."""

from html.parser import HTMLParser

import spacy
from spacy.tokens import Doc, Span

NLP = spacy.blank("en")
VOID = ("meta", "input")


class Element:
    """A tag with its attributes, and the text that is directly in it or below it."""

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.classes = attributes.get("class", "").split()
        self.text = ""


class Page(HTMLParser):
    """The elements of a page, in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(html)
        self.close()
        assert not self._open, "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def find(self, name: str) -> list[Element]:
        """Those of a class."""
        return [element for element in self.elements if name in element.classes]

    @property
    def rows(self) -> list[str]:
        """The text of each row."""
        return [element.text for element in self.find("text")]


def make_doc(
    text: str, spans: list[tuple[int, int, str]] = (), scores: list[float] | None = None
) -> Doc:
    """A document and the spans of `doc.spans["sc"]`, in tokens."""
    doc = NLP.make_doc(text)
    doc.spans["sc"] = [Span(doc, start, end, label=label) for start, end, label in spans]
    if scores is not None:
        doc.spans["sc"].attrs["scores"] = scores
    return doc
