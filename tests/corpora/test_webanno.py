"""WebAnno TSV 3: texts and spans as they were, and what is wrong with a file."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import spacy
from corpora.written import ENCODINGS, Written, documents, write_encoded
from hypothesis import given
from hypothesis import strategies as st

from spacy_sener.corpora.readers import read_docs
from spacy_sener.corpora.records import TextRecord
from spacy_sener.corpora.report import Report
from spacy_sener.corpora.webanno import read_webanno

NER = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
POS = "de.tudarmstadt.ukp.dkpro.core.api.lexmorph.type.pos.POS"
COREF = "de.tudarmstadt.ukp.dkpro.core.api.coref.type.CoreferenceLink"
HEADER = f"#FORMAT=WebAnno TSV 3.3\n#T_SP={NER}|identifier|value\n\n\n"
# Within a sentence; between two there can be nothing, or a line break and spaces.
SPACES = ("", " ", "  ", "\n", "\t", "\r")
GAPS = ("", "\n", "\n  ")

LAYERS = f"""\
#FORMAT=WebAnno TSV 3.2
#T_SP={POS}|PosValue|coarseValue
#T_SP={NER}|identifier|value
#T_SP=webanno.custom.Clause|
#T_SP=webanno.custom.Frame|ROLE_webanno.custom.Frame:Roles_webanno.custom.FrameLink|{NER}|sense
#T_CH={COREF}|referenceType|referenceRelation
#T_RL=webanno.custom.Pays|kind|BT_{NER}


#Sentence.id=s1
#Text=😊 Ada's dog
#Text=barks.
1-1\t0-2\t😊\tSYM\tX\t_\t_\t_\t_\t_\t_\t_\t_\t_\t_\t
1-2\t3-6\tAda\tNE\tN\thttp://x[1]|*[2]\tname[1]|group[2]\t*[3]\t_\t_\t_\tpr[1]\tcoref->1-1\t_\t_\t
1-3\t6-8\t's\tPO\tP\t*[2]\tgroup[2]\t*[3]\t_\t_\t_\t_\t_\t_\t_\t
1-4\t9-12\tdog\tNN\tN\t*[2]\tgroup[2]\t*[3]\t_\t_\t_\tpr[1]\t*->1-2\town\t1-2[1_0]\t
1-5\t13-18\tbarks\tV\tV\t_\t_\t*[3]\tr1;r2\t1-2[1];1-4\tnoise\t_\t_\t_\t_\t
1-5.1\t13-17\tbark\t_\t_\t*\tstem\t_\t_\t_\t_\t_\t_\t_\t_\t
1-5.2\t18-18\t\t_\t_\t*\tgone\t_\t_\t_\t_\t_\t_\t_\t_\t
1-6\t18-19\t.\t$.\tP\t_\t_\t_\t_\t_\t_\t_\t_\t_\t_\t

#Text=Nobody cares.
2-1\t21-27\tNobody\tP\tP\t*\t*\t_\t_\t_\t*\t_\t_\t_\t_\t
2-2\t28-33\tcares\tV\tV\t*[4]\tlong\\_one[4]\t_\t_\t_\t_\t_\t_\t_\t_\t
2-3\t33-34\t.\t$.\tP\t*[4]\tlong\\_one[4]\t_\t_\t_\t_\t_\t_\t_\t_\t

#Text=So.
3-1\t34-36\tSo\tA\tA\t*[4]\tlong\\_one[4]\t_\t_\t_\t_\t_\t_\t_\t_\t
3-2\t36-37\t.\t$.\tP\t_\t_\t_\t_\t_\t_\t_\t_\t_\t_\t
"""


def read(path: Path) -> tuple[TextRecord, Report]:
    report = Report()
    [record] = read_webanno(path, report)
    return record, report


def read_text(tmp_path: Path, text: str) -> tuple[TextRecord, Report]:
    path = tmp_path / "a.tsv"
    path.write_text(text, encoding="utf8", newline="")
    return read(path)


def spans(record: TextRecord) -> set[tuple[int, int, str]]:
    return {(item["start"], item["end"], item["label"]) for item in record.items}


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def escape_value(value: str) -> str:
    for character in "\\[]|_;*":
        value = value.replace(character, f"\\{character}")
    return value.replace("->", "\\->").replace("\t", "\\t").replace("\n", "\\n")


def escape_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\r", "\\r")


class Writer:
    """Writes a document as WebAnno does: odd spans into one layer, the others into another."""

    def __init__(self, document: Written, spaces: list[str], gaps: list[str]) -> None:
        self.document = document
        self.bounds: list[tuple[int, int]] = []
        self.text = ""
        for position, word in enumerate(document.words):
            space = gaps if position in document.sentence_starts else spaces
            self.text += space[position] if position else ""
            self.bounds.append((len(self.text), len(self.text) + len(word)))
            self.text += word

    @property
    def spans(self) -> set[tuple[int, int, str]]:
        return {
            (self.bounds[start][0], self.bounds[end - 1][1], label)
            for start, end, label in self.document.spans
        }

    def write(self) -> str:
        parts = ["#FORMAT=WebAnno TSV 3.3\n#T_SP=custom.One|first|value\n#T_SP=custom.Two|x|y\n\n"]
        starts = [*sorted(self.document.sentence_starts), len(self.document.words)]
        for number, (first, end) in enumerate(pairwise(starts), 1):
            sentence = self.text[self.bounds[first][0] : self.bounds[end - 1][1]]
            parts += [f"\n#Text={escape_text(line)}" for line in sentence.split("\n")]
            parts += [self.row(f"{number}-{word - first + 1}", word) for word in range(first, end)]
            parts.append("\n")
        return "".join(parts)

    def row(self, name: str, position: int) -> str:
        start, end = (units(self.text[:bound]) for bound in self.bounds[position])
        cells = [name, f"{start}-{end}", self.document.words[position], *self.values(position)]
        return "\n" + "\t".join(cells) + "\t"

    def values(self, position: int) -> list[str]:
        layers: list[list[str]] = [[], []]
        for number, (start, end, label) in enumerate(sorted(self.document.spans)):
            if start <= position < end:
                layers[number % 2].append(f"{escape_value(label)}[{number + 1}]")
        one, two = ("|".join(values) or "_" for values in layers)
        null = "|".join("*" + value[value.rindex("[") :] for value in layers[0]) or "_"
        return [null, one, two, two]


@given(document=documents(), data=st.data())
def test_round_trip(tmp_path_factory: Any, document: Written, data: st.DataObject) -> None:
    n_words = len(document.words)
    spaces = data.draw(st.lists(st.sampled_from(SPACES), min_size=n_words, max_size=n_words))
    gaps = data.draw(st.lists(st.sampled_from(GAPS), min_size=n_words, max_size=n_words))
    writer = Writer(document, spaces, gaps)
    record, report = read_text(tmp_path_factory.mktemp("webanno"), writer.write())
    assert record.text == writer.text
    assert spans(record) == writer.spans
    assert not report.problems


def test_layers_of_every_kind(tmp_path: Path) -> None:
    record, report = read_text(tmp_path, LAYERS)
    assert record.text == "😊 Ada's dog\nbarks.\n Nobody cares.So."
    found = [(record.text[item["start"] : item["end"]], item["label"]) for item in record.items]
    assert found == [
        ("Ada", "name"),
        ("Ada's dog", "group"),
        ("Ada's dog\nbarks", "Clause"),
        ("barks", "noise"),
        ("bark", "stem"),
        ("", "gone"),
        ("Nobody", None),
        ("Nobody", None),
        ("cares.So", "long_one"),
    ]
    assert report.unread == {
        f"{POS}, annotations": 11,
        f"{COREF}, entries of the chains": 2,
        "webanno.custom.Pays, relations": 1,
    }


def test_documents_have_these_spans_and_the_rest_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(LAYERS, encoding="utf8")
    report = Report()
    nlp = spacy.blank("en")
    [doc] = read_docs(tmp_path / "a.tsv", nlp, record_format="webanno", report=report)
    assert doc.user_data["doc_id"] == "a.tsv"
    assert [(span.text, span.label_) for span in doc.spans["sc"]][:3] == [
        ("Ada", "name"),
        ("Ada's dog", "group"),
        ("Ada's dog\nbarks", "Clause"),
    ]
    assert report.problems["empty"] == 1
    assert report.problems["unlabelled"] == 2
    assert "'line': 19" in report.examples["empty"][0]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encodings_of_a_file(tmp_path: Path, encoding: str) -> None:
    text = HEADER + "#Text=Señor\n#Text=Ström\n1-1\t0-5\tSeñor\t*\tx\t\n1-2\t6-11\tStröm\t*\ty\t\n"
    record, _ = read(write_encoded(tmp_path / "a.tsv", text, encoding))
    assert record.text == "Señor\nStröm"
    assert spans(record) == {(0, 5, "x"), (6, 11, "y")}


def test_a_sentence_begins_with_whitespace(tmp_path: Path) -> None:
    sentence = "#Text=\u3000 😊 ran\n1-1\t2-4\t😊\t*\tx\t\n1-2\t5-8\tran\t_\t_\t\n"
    other = "\n#Text=\u00a0\n2-1\t9-10\t\u00a0\t_\t_\t\n"
    record, _ = read_text(tmp_path, HEADER + sentence + other)
    assert record.text == "\u3000 😊 ran\n\u00a0"
    assert [record.text[item["start"] : item["end"]] for item in record.items] == ["😊"]


def test_text_of_3_1_is_escaped_as_in_java(tmp_path: Path) -> None:
    text = HEADER.replace("3.3", "3.1") + '#Text=\\u00C4 \\uD83D\\uDE0A\\t\\"\n'
    text += '1-1\t0-1\tÄ\t_\t_\n1-2\t2-4\t😊\t*\tx\n1-3\t5-6\t"\t_\t_\n'
    record, _ = read_text(tmp_path, text)
    assert record.text == 'Ä 😊\t"'
    assert spans(record) == {(2, 3, "x")}


def test_control_characters_are_escaped_from_3_2_on(tmp_path: Path) -> None:
    text = HEADER + "#Text=a\\\x01\\\\t \\q\n1-1\t0-4\ta\x01\\t\t*\tx\t\n1-2\t5-7\t\\q\t_\t_\t\n"
    record, _ = read_text(tmp_path, text)
    assert record.text == "a\x01\\t \\q"


def test_numbers_that_start_again_are_other_annotations(tmp_path: Path) -> None:
    rows = "1-1\t0-1\ta\t*[1]\tx[1]\n1-2\t1-2\tb\t_\t_\n1-3\t2-3\tc\t*[1]\tx[1]\n"
    rows += "1-4\t3-4\td\t*[1]\ty[1]\n1-5\t4-5\te\t*[1]\ty[1]\n"
    record, _ = read_text(tmp_path, HEADER + "#Text=abcde\n" + rows)
    assert spans(record) == {(0, 1, "x"), (2, 3, "x"), (3, 5, "y")}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("#Text=ab\n1-1\t0-2\tab\t_\n", "line 6: expected 5 columns, but found 4"),
        ("#Text=ab\n1-1\t0-2\tab\t_\t_\t_\t_\n", "line 6: expected 5 columns, but found 7"),
        ("#Text=ab\n1-1\t0-3\tab\t_\t_\n", "line 6: 0-3 is outside its sentence, 0-2"),
        ("#Text=ab\n1-1\t0-2\tab\t_\t_\n1-2\t2-1\ta\t_\t_\n", "line 7: 2-1 is outside"),
        ("#Text=ab\n1-1\t0-1\tb\t_\t_\n", "line 6: the text at 0-1, .*is 'a', not 'b'"),
        ("#Text=😊a\n1-1\t0-1\t😊\t_\t_\n", "line 6: the text at 0-1, in UTF-16 units"),
        ("#Text=ab\n1-1\t0\n", "line 6: expected a token"),
        ("#Text=ab\nab\t_\t_\n", "line 6: expected a token"),
        ("1-1\t0-1\ta\t_\t_\n", "line 5: 0-1 is outside its sentence, 0-0"),
        ("#Text=ab\n\n", "line 6: the sentence has no tokens"),
        ("#Text=ab\n", "line 5: the sentence has no tokens"),
        ("#Text=a\n1-1\t999999999999-1000000000000\ta\t_\t_\n", "line 6: .* texts end before"),
        ("#Text=ab\n1-1\t0-2\tab\t_\t_\n\n#Text=c\n2-1\t1-2\tc\t_\t_\n", "line 9: .* begins at 1"),
    ],
)
def test_broken_files_are_errors_that_name_the_line(
    tmp_path: Path, body: str, message: str
) -> None:
    with pytest.raises(ValueError, match=rf"a\.tsv, {message}"):
        read_text(tmp_path, HEADER + body)


@pytest.mark.parametrize("text", ["#FORMAT=WebAnno TSV 2.0\n", "a\tb\n", "\n", '{"text": "a"}'])
def test_other_formats_are_errors(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="line 1: expected '#FORMAT=WebAnno TSV 3"):
        read_text(tmp_path, text)


def test_other_encodings_and_truncated_archives_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes((HEADER + "#Text=é\n").encode("latin-1"))
    with pytest.raises(ValueError, match="not UTF-8"):
        read(path)
    packed = write_encoded(tmp_path / "b.tsv", HEADER + "#Text=a\n1-1\t0-1\ta\t_\t_\n", "gz")
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(ValueError, match="truncated or damaged"):
        read(packed)
