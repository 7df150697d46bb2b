"""What a multi-task model is told to do with a text, in the words it was trained with."""

from dataclasses import dataclass
from typing import Literal

from .prompts import is_blank

WordingName = Literal["package", "paper"]


@dataclass(frozen=True)
class Wording:
    """The words that stand before a text, one task each; `{}` is where the user's own go."""

    question: str
    summary: str
    relations: str
    extraction: str
    classes: str
    summary_threshold: float
    """Summaries score low, and are kept from here on."""

    def ask(self, question: str) -> str:
        """The task of a question."""
        return self.question.format(_not_blank("question", question))

    def extract(self, prompt: str) -> str:
        """The task that a user words as a whole."""
        return self.extraction.format(_not_blank("prompt", prompt))


WORDINGS: dict[WordingName, Wording] = {
    # gliner.multitask of the authors' package, 0.2.29.
    "package": Wording(
        question="Answer the following question: {} \n ",
        summary="Summarize the following text highlighting the most important information: \n ",
        relations="Extract relationships between entities from the text:  \n ",
        extraction="{} \n ",
        classes="Classify text into the following classes: {} \n ",
        summary_threshold=0.25,
    ),
    # arXiv 2406.12925, section 2.4, which has no classification: that is the package's.
    "paper": Wording(
        question="{}\n",
        summary="Summarize the given text, highlighting the most important information:\n",
        relations="Identify the relation in the given text, highlighting the relevant entity: ",
        extraction="{}\n",
        classes="Classify text into the following classes: {} \n ",
        summary_threshold=0.1,
    ),
}


def _not_blank(kind: str, text: str) -> str:
    if not isinstance(text, str) or is_blank(text):
        raise ValueError(f"A {kind} must be a text with some words in it, not {text!r}.")
    return text
