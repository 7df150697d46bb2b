"""Columns of tags: which are found, what they mean, and what is wrong with a file."""

from pathlib import Path
from typing import Any

import pytest
import spacy
from corpora.written import ENCODINGS, Written, documents, write_encoded
from hypothesis import given
from hypothesis import strategies as st

from spacy_sener.corpora.conll import read_conll
from spacy_sener.corpora.readers import read_docs
from spacy_sener.corpora.records import WordsRecord
from spacy_sener.corpora.report import Report

# First, inside, last and only word of a span, as each scheme writes it.
SCHEMES = {"IOB2": "BIIB", "IOBES": "BIES", "BILOU": "BILU", "BMES": "BMES"}
GERMEVAL = """\
#\thttps://example.org/a [2020-01-01]
1\tDer\tO\tO
2\tOstwicker\tB-LOCderiv\tO
3\tVerein\tO\tO

#\thttps://example.org/b [2020-01-02]
1\tFC\tB-ORG\tO
2\tOstwick\tI-ORG\tB-LOC
"""
CONLL_2003 = """\
-DOCSTART- -X- -X- O

Ada NNP I-NP I-PER
Brenk NNP I-NP I-PER
left VBD I-VP O
Ostwick NNP I-NP I-LOC
Nord NNP B-NP B-LOC

-DOCSTART- -X- -X- O

Rain NN I-NP O
"""
HIPE = """\
TOKEN\tNE-COARSE-LIT\tNE-NESTED\tNEL-LIT\tMISC
# language = fr
# document_id = gazette-1
Mme\tB-pers\tO\tNIL\t_
Brenk\tI-pers\tO\tNIL\tNoSpaceAfter
,\tO\t_\t_\t_
# segment_iiif_link = _
Ostwick\tB-loc\tB-loc\tQ1\t_
# hipe2022:document_id = gazette-2
Rien\tO\tO\t_\t_
"""
CONLLU = """\
ID\tFORM\tNER
# newpar
# text = Vámonos al norte
1-2\tVámonos\t_
1\tVamos\tO
2\tnos\tO
3-4\tal\t_
3\ta\tB-PLACE
4\tel\tI-PLACE
4.1\tfrío\t_
5-6\tnorte\t_
5\tnor\tI-PLACE
6\tte\tI-PLACE
"""


def read(path: Path) -> tuple[list[WordsRecord], Report]:
    report = Report()
    return list(read_conll(path, report)), report


def read_text(tmp_path: Path, text: str) -> tuple[list[WordsRecord], Report]:
    path = tmp_path / "a.conll"
    path.write_text(text, encoding="utf8", newline="")
    return read(path)


def spans(record: WordsRecord) -> set[tuple[int, int, str]]:
    return {(item["start"], item["end"], item["label"]) for item in record.items}


def tag_columns(document: Written, letters: str) -> list[list[str]]:
    """Spans go into the first column where they overlap none."""
    columns: list[list[str]] = [["O"] * len(document.words)]
    for start, end, label in sorted(document.spans):
        free = [column for column in columns if set(column[start:end]) == {"O"}]
        if not free:
            columns.append(["O"] * len(document.words))
            free = columns[-1:]
        first, inside, last, only = letters
        prefixes = [first, *(inside * (end - start - 2)), last] if end - start > 1 else [only]
        free[0][start:end] = [f"{prefix}-{label}" for prefix in prefixes]
    return columns


def rows(document: Written, columns: list[list[str]]) -> str:
    lines = []
    for position, cells in enumerate(zip(document.words, *columns, strict=True)):
        lines.append("\n" * (position in document.sentence_starts) + "\t".join(cells) + "\n")
    return "".join(lines)


@pytest.mark.parametrize("scheme", SCHEMES)
@given(document=documents().filter(lambda document: document.words[0][0] != "#"))
def test_round_trip(tmp_path_factory: Any, scheme: str, document: Written) -> None:
    text = rows(document, tag_columns(document, SCHEMES[scheme]))
    [record], report = read_text(tmp_path_factory.mktemp("conll"), text)
    assert record.words == document.words
    assert spans(record) == document.spans
    assert not report.problems


@given(parts=st.lists(st.sampled_from(["O", "B-a", "B-b", "I"]), min_size=1), data=st.data())
def test_iob1_round_trip(tmp_path_factory: Any, parts: list[str], data: st.DataObject) -> None:
    expected: list[tuple[int, int, str]] = []
    tags = []
    for position, part in enumerate(parts):
        if part == "I" and expected and expected[-1][1] == position:
            start, _, label = expected[-1]
            expected[-1] = (start, position + 1, label)
        elif part[0] == "B":
            label = part[2:]
            touches = bool(expected) and expected[-1][1:] == (position, label)
            expected.append((position, position + 1, label))
            tags.append(f"B-{label}" if touches else f"I-{label}")
            continue
        tags.append(f"I-{expected[-1][2]}" if expected and expected[-1][1] == position + 1 else "O")
    text = "".join(f"w {tag}\n" for tag in tags)
    [record], report = read_text(tmp_path_factory.mktemp("iob1"), text)
    assert spans(record) == set(expected)
    assert not report.problems


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encodings_of_a_file(tmp_path: Path, encoding: str) -> None:
    path = write_encoded(tmp_path / "a.tsv", "Señor\tB-x\nStröm😊\tI-x\n\nja\tO\n", encoding)
    [record], _ = read(path)
    assert record.words == ["Señor", "Ström😊", "ja"]
    assert spans(record) == {(0, 2, "x")}
    assert record.doc_id == f"{path.name}:1"


def test_columns_of_outer_and_inner_spans_after_a_numbered_word(tmp_path: Path) -> None:
    [record], report = read_text(tmp_path, GERMEVAL)
    assert record.words == ["Der", "Ostwicker", "Verein", "FC", "Ostwick"]
    assert spans(record) == {(1, 2, "LOCderiv"), (3, 5, "ORG"), (4, 5, "LOC")}
    assert not report.problems


def test_iob1_documents_and_chunks_beside_names(tmp_path: Path) -> None:
    records, report = read_text(tmp_path, CONLL_2003)
    assert [record.doc_id for record in records] == ["a.conll:1", "a.conll:9"]
    assert [record.where for record in records] == ["line 1", "line 9"]
    assert spans(records[0]) == {(0, 2, "PER"), (3, 4, "LOC"), (4, 5, "LOC")}
    assert spans(records[1]) == set()
    assert not report.problems
    assert report.unread == {"phrase chunks (column 3)": 5}


def test_chunks_alone_are_spans(tmp_path: Path) -> None:
    [record], _ = read_text(tmp_path, "Rain NN B-NP\nfell VBD B-VP\n")
    assert spans(record) == {(0, 1, "NP"), (1, 2, "VP")}


@pytest.mark.parametrize(
    "numbers",
    ["0 1 2", "1 2 3", "7 8 9", "1 1 2", "1-1 1-2 2-1"],
    ids=["from 0", "through sentences", "an excerpt", "sentences by comments", "WebAnno TSV 2"],
)
def test_numbers_of_every_kind_are_no_words(tmp_path: Path, numbers: str) -> None:
    lines = zip(numbers.split(), ["Ada\tB-x", "1-2\tI-x", "left\tO"], strict=True)
    text = "# sent\n".join(f"{number}\t{rest}\n" for number, rest in lines)
    [record], report = read_text(tmp_path, text)
    assert (record.words, spans(record)) == (["Ada", "1-2", "left"], {(0, 2, "x")})
    assert not report.unread


def test_rows_of_several_words_and_of_none_are_counted(tmp_path: Path) -> None:
    [record], report = read_text(tmp_path, CONLLU)
    assert record.words == ["Vamos", "nos", "a", "el", "nor", "te"]
    assert spans(record) == {(2, 6, "PLACE")}
    assert not report.problems
    assert report.unread == {"rows of several words or none (1-2, 1.1)": 4}


def test_numbers_are_words_beside_other_words(tmp_path: Path) -> None:
    [record], _ = read_text(tmp_path, "7 CD B-x\nyears NN I-x\n")
    assert (record.words, spans(record)) == (["7", "years"], {(0, 2, "x")})


def test_spaces_beside_tabs_are_in_no_label(tmp_path: Path) -> None:
    [record], report = read_text(tmp_path, "a\tB-x \nb\t I-x\n")
    assert (record.words, spans(record)) == (["a", "b"], {(0, 2, "x")})
    assert not report.problems


def test_header_named_documents_and_comments(tmp_path: Path) -> None:
    records, report = read_text(tmp_path, HIPE)
    assert [(record.doc_id, record.words) for record in records] == [
        ("gazette-1", ["Mme", "Brenk", ",", "Ostwick"]),
        ("gazette-2", ["Rien"]),
    ]
    assert [(item["start"], item["end"], item["label"]) for item in records[0].items] == [
        (0, 2, "pers"),
        (3, 4, "loc"),
        (3, 4, "loc"),
    ]
    assert not report.problems


def test_number_sign_as_a_word(tmp_path: Path) -> None:
    [record], _ = read_text(tmp_path, "a B-x\n# I-x\n# newdoc\n")
    assert (record.words, spans(record)) == (["a", "#"], {(0, 2, "x")})


def test_tab_at_the_end_of_lines_and_words_with_spaces(tmp_path: Path) -> None:
    [record], _ = read_text(tmp_path, "New York\tB-x\tO\t\nb\tI-x\tB-y\t\n")
    assert record.words == ["New York", "b"]
    assert spans(record) == {(0, 2, "x"), (1, 2, "y")}


def test_span_goes_on_in_the_next_sentence_where_only_b_begins_one(tmp_path: Path) -> None:
    [record], report = read_text(tmp_path, "a B-x\n\nb I-x\n\nc B-x\n")
    assert spans(record) == {(0, 2, "x"), (2, 3, "x")}
    assert not report.problems
    [record], _ = read_text(tmp_path, "a I-x\n\nb I-x\n\nc I-x\n")
    assert spans(record) == {(0, 1, "x"), (1, 2, "x"), (2, 3, "x")}


@pytest.mark.parametrize(
    ("tags", "expected", "n_broken"),
    [
        ("B-x O I-x B-x", {(0, 1, "x"), (2, 3, "x"), (3, 4, "x")}, 1),
        ("B-x I-y B-x O", {(0, 1, "x"), (1, 2, "y"), (2, 3, "x")}, 1),
        ("B-x I-x O S-y", {(0, 2, "x"), (3, 4, "y")}, 1),
        ("O E-x S-y O", {(1, 2, "x"), (2, 3, "y")}, 1),
        ("B-x B-x E-x O", {(0, 1, "x"), (1, 3, "x")}, 1),
        ("B-x I-x L-y U-x", {(0, 2, "x"), (2, 3, "y"), (3, 4, "x")}, 2),
        ("B-x I-x E-x B-x", {(0, 3, "x"), (3, 4, "x")}, 1),
    ],
)
def test_broken_sequences_are_repaired_and_reported(
    tmp_path: Path, tags: str, expected: set[Any], n_broken: int
) -> None:
    [record], report = read_text(tmp_path, "".join(f"w {tag}\n" for tag in tags.split()))
    assert spans(record) == expected
    assert report.problems == {"broken tags": n_broken}


def test_report_names_document_and_line(tmp_path: Path) -> None:
    _, report = read_text(tmp_path, "# newdoc id = d7\na B-x\n\nb I-y\n")
    [example] = report.examples["broken tags"]
    assert example.startswith("d7 (line 4): {'start': 1, 'end': 2, 'label': 'y'")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a NN O\nb NN B-x\nc NN\n", r"line 3: 2 columns, but 3 before it"),
        ("a O\nb B-x\nc Bx\n", r"line 3: column 2 holds tags such as .*'Bx'"),
        ("a NN\nb VB\n", r"none of its 2 columns holds tags"),
        ("1\tRain\train\tNOUN\t_\t_\t0\troot\t_\t_\n", r"none of its 10 columns holds tags"),
        ("a (PER*\nb *)\n", r"none of its 2 columns holds tags"),
        ("1\tB-x\n2\tO\n", r"only numbers: put the words there"),
        ("1\t0\tB-x\n2\t4\tO\n", r"only numbers: put the words there"),
    ],
)
def test_broken_files_are_errors_that_name_the_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ValueError, match=rf"a\.conll.*{message}"):
        read_text(tmp_path, text)


def test_other_encodings_and_truncated_archives_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_bytes("é B-x\n".encode("latin-1"))
    with pytest.raises(ValueError, match="not UTF-8"):
        read(path)
    packed = write_encoded(tmp_path / "b.conll", "a B-x\nb I-x\n" * 999, "xz")
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(ValueError, match="truncated or damaged"):
        read(packed)


def test_documents_have_these_words_and_spans(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(GERMEVAL, encoding="utf8")
    report = Report()
    [doc] = read_docs(tmp_path / "a.tsv", spacy.blank("de"), record_format="conll", report=report)
    assert [token.text for token in doc] == ["Der", "Ostwicker", "Verein", "FC", "Ostwick"]
    assert [(span.text, span.label_) for span in doc.spans["sc"]] == [
        ("Ostwicker", "LOCderiv"),
        ("FC Ostwick", "ORG"),
        ("Ostwick", "LOC"),
    ]


def test_comments_as_wide_as_the_rows_are_no_words(tmp_path: Path) -> None:
    path = tmp_path / "en.iob2"
    path.write_text(
        "# sent_id = 1\n# text = O\n1\tAda\tB-x\t-\n2\tB\tI-x\t-\n\n# text = #\n1\t#\tO\t-\n"
    )
    [record], report = read(path)
    assert record.words == ["Ada", "B", "#"]
    assert [(item["start"], item["end"]) for item in record.items] == [(0, 2)]
    assert not report.problems


def test_tags_in_a_column_of_other_cells_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text("A\tB-x\t-\nB\tI-x\tB-y\nC\tO\tI-y\nD\tO\t-\nE\tO\t-\n")
    [record], report = read(path)
    assert [item["label"] for item in record.items] == ["x"]
    assert report.unread == {"tags (column 3, mostly of other cells)": 2}
