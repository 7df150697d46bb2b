"""A file of annotated documents, and pipelines that learned a little of them."""

from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Corpus
from spacy.util import fix_random_seed
from tiny_gliner import ALONE, FIRST, LAST, TEXT, gold, marking_pipeline, pipeline

SENTENCES = [
    ("Anna Keller is a professor at the University of Zurich", [(0, 2, "PER"), (6, 10, "ORG")]),
    ("She worked in Berlin from 2010 until 2014", [(1, 8, "JOB"), (3, 4, "PLACE")]),
    ("Her PhD is from Stanford University", [(1, 6, "DEGREE"), (4, 6, "ORG")]),
    ("The library was founded in London", [(5, 6, "PLACE")]),
]
LABELS = ["person", "place", "house", "date"]
SENER = {
    "max_pieces": 40,
    "model": {
        "@architectures": "spacy-sener.SeNER.v1",
        "span_window": 5,
        "reach": 0,
        "hidden_size": 16,
        "span_size": 8,
        "depth": 1,
        "masking": 0.0,
        "encoder": {"@architectures": "spacy-sener.ArrowEncoder.v1", "piece_window": 8},
    },
}
SPANCAT = {"suggester": {"@misc": "spacy.ngram_range_suggester.v1", "min_size": 1, "max_size": 4}}


@Language.factory("first_words")
class FirstWords:
    """Finds the first two words of a text, without scores."""

    def __init__(self, nlp: Language, name: str) -> None:
        self.cfg = {"spans_key": "sc", "threshold": 0.5}

    def __call__(self, doc: Doc) -> Doc:
        doc.spans["sc"] = [Span(doc, 0, 2, label="PER")]
        return doc


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve documents of one to three sentences, under the key "sc"."""
    doc_bin, vocab = DocBin(store_user_data=True), spacy.blank("en").vocab
    for number in range(12):
        words: list[str] = []
        spans = []
        for text, annotated in (SENTENCES[number % 4 :] + SENTENCES)[: 1 + number % 3]:
            spans += [(len(words) + s, len(words) + e, label) for s, e, label in annotated]
            words += [*text.split(), "."]
        doc = Doc(vocab, words)
        doc.spans["sc"] = [Span(doc, *span) for span in spans]
        doc.user_data["doc_id"] = f"doc-{number}"
        doc_bin.add(doc)
    path = tmp_path_factory.mktemp("data") / "gold.spacy"
    doc_bin.to_disk(path)
    return path


def trained(nlp: Language, data: Path, steps: int) -> Language:
    """After a few updates: some spans are right, some wrong, and scores are spread."""
    examples = list(Corpus(data)(nlp))
    optimizer = nlp.initialize(lambda: iter(examples))
    optimizer.learn_rate = 0.005
    for _ in range(steps):
        nlp.update(examples, sgd=optimizer)
    return nlp


@pytest.fixture(scope="session")
def sener(data: Path, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a pipeline with the component "sener"; the longest spans are out of its reach."""
    fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe("sener", config=SENER)
    nlp.config["initialize"]["components"]["sener"] = {"encoder": str(tiny_encoder)}
    path = tmp_path_factory.mktemp("sener") / "model-best"
    with pytest.warns(UserWarning, match="cannot be learned"):
        trained(nlp, data, 15).to_disk(path)
    return path


@pytest.fixture(scope="session")
def spancat(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a pipeline with spaCy's own span categorizer."""
    fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe("spancat", config={"threshold": 0.4, **SPANCAT})
    path = tmp_path_factory.mktemp("spancat") / "pipeline"
    trained(nlp, data, 12).to_disk(path)
    return path


@pytest.fixture(scope="session")
def spancat_singlelabel(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a pipeline with the one that gives a span one label; its scores are a column."""
    fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe("spancat_singlelabel", config=SPANCAT)
    path = tmp_path_factory.mktemp("singlelabel") / "pipeline"
    trained(nlp, data, 12).to_disk(path)
    return path


@pytest.fixture
def own_component(tmp_path: Path) -> Path:
    """Folder of a pipeline whose component has settings as spaCy's, but neither model nor name."""
    nlp = spacy.blank("en")
    nlp.add_pipe("first_words")
    nlp.to_disk(tmp_path / "first_words")
    return tmp_path / "first_words"


@pytest.fixture
def other_labels(tiny_encoder: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A pipeline that finds two spans of "person", and data that has them as "PERSON"."""
    nlp = marking_pipeline(tiny_encoder, labels=["person"])
    nlp.to_disk(tmp_path / "finds_person")
    example = gold(nlp, f"{FIRST} {LAST} in {ALONE}", [(f"{FIRST} {LAST}", "PERSON")])
    DocBin(docs=[example.reference]).to_disk(tmp_path / "has_PERSON.spacy")
    return tmp_path / "finds_person", tmp_path / "has_PERSON.spacy"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Folder of a pipeline that writes no spans."""
    spacy.blank("en").to_disk(tmp_path / "bare")
    return tmp_path / "bare"


@pytest.fixture
def mean_scores(tiny_encoder: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A pipeline whose threshold is for marks and whose scores are their means; all it finds."""
    nlp = pipeline(tiny_encoder, labels=LABELS, span_score="mean", overlap="nested", threshold=0.2)
    nlp.to_disk(tmp_path / "mean")
    DocBin(docs=[nlp(TEXT)]).to_disk(tmp_path / "mean.spacy")
    return tmp_path / "mean", tmp_path / "mean.spacy"


@pytest.fixture
def span_finder(data: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A pipeline with spaCy's span finder, whose spans have neither labels nor scores; gold."""
    docs = list(DocBin().from_disk(data).get_docs(spacy.blank("en").vocab))
    for doc in docs:
        doc.spans["sc"] = [doc[span.start : span.end] for span in doc.spans["sc"]]
    data = tmp_path / "unlabelled.spacy"
    DocBin(docs=docs).to_disk(data)
    fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe("span_finder", config={"spans_key": "sc", "threshold": 0.5})
    trained(nlp, data, 1).to_disk(tmp_path / "span_finder")
    return tmp_path / "span_finder", data
