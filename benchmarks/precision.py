"""What bfloat16 changes in a trained pipeline's answers.

    python -m benchmarks.precision PIPELINE DOCUMENTS.spacy

annotates the texts with the network in float32 and in bfloat16, and counts the spans that one finds
and the other does not.
"""

import argparse
from pathlib import Path

import spacy
from spacy.tokens import DocBin

Found = dict[tuple[int, int, int, str], float]
"""Scores by document, first token, end and label."""


def find(pipeline: Path, documents: Path, *, mixed_precision: bool) -> Found:
    """The spans of all documents."""
    change = {"components": {"sener": {"model": {"mixed_precision": mixed_precision}}}}
    nlp = spacy.load(pipeline, config=change)
    texts = [doc.text for doc in DocBin().from_disk(documents).get_docs(nlp.vocab)]
    key = nlp.get_pipe("sener").key
    return {
        (i, span.start, span.end, span.label_): float(score)
        for i, doc in enumerate(nlp.pipe(texts, batch_size=8))
        for span, score in zip(doc.spans[key], doc.spans[key].attrs["scores"], strict=True)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pipeline", type=Path)
    parser.add_argument("documents", type=Path)
    arguments = parser.parse_args()
    full, half = (
        find(arguments.pipeline, arguments.documents, mixed_precision=mixed)
        for mixed in (False, True)
    )
    both, either = full.keys() & half.keys(), full.keys() ^ half.keys()
    change = sum(abs(full[span] - half[span]) for span in both) / max(1, len(both))
    furthest = max((full.get(span) or half[span] for span in either), default=0.0)
    print(f"{len(full)} spans in float32, {len(half)} in bfloat16; {len(either)} in one alone")
    print(
        f"mean change of a score {change:.4f}; highest score of a span in one alone {furthest:.3f}"
    )


if __name__ == "__main__":
    main()
