"""What documents carry for the components, beside spaCy's own attributes; the import registers it.

`doc._.gliner_labels`: the labels that this document is asked for, a list, or {label: description};
None for those of the component. It is kept in `doc.user_data`, and so in a `.spacy` file that
stores that. `doc._.relations` is in `relations`, and is registered by the component.
"""

from __future__ import annotations

from spacy.tokens import Doc

LABELS = "gliner_labels"

if not Doc.has_extension(LABELS):
    Doc.set_extension(LABELS, default=None)


def copy_labels(doc: Doc, to: Doc) -> None:
    """Ask another document for the labels that this one is asked for, if it names any."""
    if doc._.get(LABELS) is not None:
        to._.set(LABELS, doc._.get(LABELS))
