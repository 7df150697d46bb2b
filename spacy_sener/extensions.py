"""What documents carry for the components, beside spaCy's own attributes; the import registers it.

    doc._.gliner_labels   the labels that this document is asked for, a list, or {label:
                          description}; None for those of the component
    doc._.relations       the relations that were found

Both are kept in `doc.user_data`, and so the labels are in a `.spacy` file that stores it.
"""

from __future__ import annotations

from typing import Any

from spacy.tokens import Doc

LABELS = "gliner_labels"
DEFAULTS: dict[str, Any] = {LABELS: None, "relations": []}

for _name, _default in DEFAULTS.items():
    if not Doc.has_extension(_name):
        Doc.set_extension(_name, default=_default)
