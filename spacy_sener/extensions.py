"""What documents carry for the components, beside spaCy's own attributes.

`doc._.gliner_labels`: the labels that this document is asked for, a list, or {label: description};
None, the default, for those of the component. It is kept in `doc.user_data`, and so in a `.spacy`
file that stores it.
"""

from __future__ import annotations

from spacy.tokens import Doc

LABELS = "gliner_labels"


def register_labels() -> None:
    """Register `doc._.gliner_labels`, where nobody has done so before."""
    if not Doc.has_extension(LABELS):
        Doc.set_extension(LABELS, default=None)
