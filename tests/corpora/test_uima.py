"""XMI and UIMA JSON: spans as they were, hostile XML, and what is wrong with a file."""

import gzip
import io
import json
import sys
import time
import warnings
import zipfile
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
import spacy
from corpora.written import Written, documents
from hypothesis import given

from spacy_sener.corpora import uima
from spacy_sener.corpora.readers import read_docs
from spacy_sener.corpora.records import TextRecord
from spacy_sener.corpora.report import Report
from spacy_sener.corpora.uima import read_uima

cassis = pytest.importorskip("cassis")

NER = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
SEGMENT = "de.tudarmstadt.ukp.dkpro.core.api.segmentation.type.Token"
METADATA = "de.tudarmstadt.ukp.dkpro.core.api.metadata.type.DocumentMetaData"


def type_description(name: str, features: dict[str, str], supertype: str) -> str:
    described = "".join(
        f"<featureDescription><name>{feature}</name><description/>"
        f"<rangeTypeName>{range_type}</rangeTypeName></featureDescription>"
        for feature, range_type in features.items()
    )
    return (
        f"<typeDescription><name>{name}</name><description/><supertypeName>{supertype}"
        f"</supertypeName><features>{described}</features></typeDescription>"
    )


STRING, ANNOTATION = "uima.cas.String", "uima.tcas.Annotation"
TYPES: dict[str, dict[str, str]] = {
    NER: {"identifier": STRING, "value": STRING},
    SEGMENT: {"id": STRING},
    "webanno.custom.Clause": {},
    "webanno.custom.Step": {"sure": "uima.cas.Boolean", "kind": STRING, "note": STRING},
    "webanno.custom.Pays": {"Governor": ANNOTATION, "Dependent": ANNOTATION, "value": STRING},
    "webanno.custom.LinkLink": {"referenceType": STRING, "referenceRelation": STRING},
}
TYPE_SYSTEM = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<typeSystemDescription xmlns="http://uima.apache.org/resourceSpecifier"><types>'
    + "".join(type_description(name, each, ANNOTATION) for name, each in TYPES.items())
    + type_description(METADATA, {"documentTitle": STRING}, "uima.tcas.DocumentAnnotation")
    + "</types></typeSystemDescription>"
)
# The offsets count UTF-16 units: the emoji has two.
XMI = """\
<?xml version="1.0" encoding="UTF-8"?>
<xmi:XMI xmlns:xmi="http://www.omg.org/XMI" xmlns:cas="http:///uima/cas.ecore"
    xmlns:type="http:///de/tudarmstadt/ukp/dkpro/core/api/ner/type.ecore"
    xmlns:type2="http:///de/tudarmstadt/ukp/dkpro/core/api/segmentation/type.ecore"
    xmlns:type3="http:///de/tudarmstadt/ukp/dkpro/core/api/metadata/type.ecore"
    xmlns:custom="http:///webanno/custom.ecore" xmi:version="2.0">
  <cas:NULL xmi:id="0"/>
  <type3:DocumentMetaData xmi:id="2" sofa="1" begin="0" end="19" documentTitle="dog.txt"/>
  <type2:Token xmi:id="3" sofa="1" begin="0" end="2"/>
  <type:NamedEntity xmi:id="4" sofa="1" begin="3" end="6" value="name" identifier="Q1"/>
  <type:NamedEntity xmi:id="5" sofa="1" begin="0" end="12" value="group"/>
  <type:NamedEntity xmi:id="6" sofa="1" begin="9" end="12"/>
  <custom:Clause xmi:id="7" sofa="1" begin="3" end="18"/>
  <custom:Step xmi:id="8" sofa="1" begin="9" end="18" sure="true" kind="loud" note="-"/>
  <custom:Pays xmi:id="9" sofa="1" begin="9" end="12" Governor="4" Dependent="6" value="own"/>
  <custom:LinkLink xmi:id="10" sofa="1" begin="3" end="6" referenceType="pr"/>
  <cas:Sofa xmi:id="1" sofaNum="1" sofaID="_InitialView" mimeType="text"
      sofaString="😊 Ada's dog&#10;barks."/>
  <cas:View sofa="1" members="2 3 4 5 6 7 8 9 10"/>
</xmi:XMI>
"""
JSON: dict[str, Any] = {
    "%TYPES": {
        "webanno.custom.Step": {
            "%NAME": "webanno.custom.Step",
            "%SUPER_TYPE": "uima.tcas.Annotation",
            "type": {"%NAME": "type", "%RANGE": "uima.cas.String"},
        }
    },
    "%FEATURE_STRUCTURES": [
        {
            "%ID": 1,
            "%TYPE": "uima.cas.Sofa",
            "sofaNum": 1,
            "sofaID": "_InitialView",
            "mimeType": "text",
            "sofaString": "😊 Ada\r\nbarks",
        },
        {"%ID": 2, "%TYPE": "webanno.custom.Step", "@sofa": 1, "begin": 0, "end": 6, "type": "x"},
        {"%ID": 3, "%TYPE": "webanno.custom.Step", "@sofa": 1, "begin": 3, "end": 13, "type": "y"},
    ],
    "%VIEWS": {"_InitialView": {"%SOFA": 1, "%MEMBERS": [2, 3]}},
}


def read(path: Path) -> tuple[list[TextRecord], Report]:
    report = Report()
    return list(read_uima(path, report)), report


def spans(record: TextRecord) -> set[tuple[int, int, str]]:
    return {(item["start"], item["end"], item["label"]) for item in record.items}


def found(record: TextRecord) -> list[tuple[str, str]]:
    return [(record.text[item["start"] : item["end"]], item["label"]) for item in record.items]


def write_xmi(folder: Path, xmi: str = XMI, type_system: str = TYPE_SYSTEM) -> Path:
    (folder / "TypeSystem.xml").write_text(type_system, encoding="utf8")
    (folder / "a.xmi").write_text(xmi, encoding="utf8")
    return folder / "a.xmi"


def write_json(path: Path, *structures: dict[str, Any]) -> Path:
    fields = {**JSON, "%FEATURE_STRUCTURES": [*JSON["%FEATURE_STRUCTURES"], *structures]}
    members = [each["%ID"] for each in fields["%FEATURE_STRUCTURES"][1:]]
    fields["%VIEWS"] = {"_InitialView": {"%SOFA": 1, "%MEMBERS": members}}
    path.write_text(json.dumps(fields), encoding="utf8")
    return path


def make_cas(document: Written) -> tuple[Any, set[tuple[int, int, str]]]:
    """A CAS of cassis, with every other span in another layer, and its spans."""
    types = cassis.TypeSystem()
    layers = [types.create_type(name) for name in ("custom.One", "custom.Two")]
    for layer in layers:
        types.create_feature(layer, "kind", "uima.cas.String")
    cas = cassis.Cas(typesystem=types)
    ends = list(accumulate(len(word) + 1 for word in document.words))
    cas.sofa_string = "\n".join(document.words)
    expected = set()
    for number, (first, end, label) in enumerate(sorted(document.spans)):
        begin = ends[first] - len(document.words[first]) - 1
        cas.add(layers[number % 2](begin=begin, end=ends[end - 1] - 1, kind=label))
        expected.add((begin, ends[end - 1] - 1, label))
    return cas, expected


@given(document=documents())
def test_round_trip(tmp_path_factory: Any, document: Written) -> None:
    cas, expected = make_cas(document)
    folder = tmp_path_factory.mktemp("uima")
    cas.to_json(folder / "a.json")
    write_xmi(folder, cas.to_xmi(), cas.typesystem.to_xml())
    records, report = read(folder)
    assert [record.doc_id for record in records] == ["a.json", "a.xmi"]
    for record in records:
        assert record.text == cas.sofa_string
        assert spans(record) == expected
    assert not report.unread


def test_layers_of_every_kind(tmp_path: Path) -> None:
    [record], report = read(write_xmi(tmp_path))
    assert record.doc_id == "dog.txt"
    assert record.text == "😊 Ada's dog\nbarks."
    assert set(found(record)) == {
        ("Ada", "name"),
        ("😊 Ada's dog", "group"),
        ("dog", None),
        ("Ada's dog\nbarks", "Clause"),
        ("dog\nbarks", "loud"),
    }
    assert report.unread == {
        f"{METADATA}, annotations": 1,
        f"{SEGMENT}, annotations": 1,
        "webanno.custom.Pays, annotations": 1,
        "webanno.custom.LinkLink, annotations": 1,
    }


def test_json_holds_its_types(tmp_path: Path) -> None:
    [record], _ = read(write_json(tmp_path / "a.json"))
    assert found(record) == [("😊 Ada", "x"), ("Ada\r\nbarks", "y")]


def test_documents_have_these_spans_and_the_rest_is_reported(tmp_path: Path) -> None:
    report = Report()
    step = {"%TYPE": "webanno.custom.Step", "@sofa": 1, "type": "z"}
    path = write_json(
        tmp_path / "a.json",
        {**step, "%ID": 4, "begin": 3, "end": 99},
        {**step, "%ID": 5, "begin": -1, "end": 3},
        {**step, "%ID": 6, "begin": 6, "end": 3},
        {**step, "%ID": 7, "begin": 6, "end": 6},
        {**step, "%ID": 8, "begin": 4, "end": 6},
        {**step, "%ID": 9, "begin": 3, "end": 6, "type": None},
    )
    [doc] = read_docs(path, spacy.blank("en"), record_format="uima", report=report)
    assert [(span.text, span.label_) for span in doc.spans["sc"]] == [
        ("😊 Ada", "x"),
        ("Ada\r\nbarks", "y"),
        ("Ada", "z"),
    ]
    assert report.problems == {
        "out of range": 2,
        "empty": 2,
        "ends inside a token": 1,
        "unlabelled": 1,
    }


def test_folders_archives_and_packed_files(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    path = write_xmi(tmp_path / "one")
    path.with_suffix(".xmi.gz").write_bytes(gzip.compress(path.read_bytes()))
    with zipfile.ZipFile(tmp_path / "two" / "b.ZIP", "w") as archive:
        archive.writestr("TypeSystem.xml", TYPE_SYSTEM)
        archive.writestr("admin.xmi", XMI)
    write_json(tmp_path / "two" / "c.json")
    records, _ = read(tmp_path)
    assert [record.doc_id for record in records] == ["dog.txt"] * 3 + ["c.json"]
    assert records[0].text == records[1].text == records[2].text


def test_an_unpacked_project_of_inception(tmp_path: Path) -> None:
    folder = tmp_path / "annotation" / "dog.xmi"
    folder.mkdir(parents=True)
    for name in ("INITIAL_CAS", "admin"):
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            archive.writestr("TypeSystem.xml", TYPE_SYSTEM)
            archive.writestr(f"{name}.xmi", XMI)
    (tmp_path / "exportedproject.json").write_text('{"name": "dogs", "layers": [{"%": 1}]}')
    records, report = read(tmp_path)
    assert [record.doc_id for record in records] == ["dog.txt"]
    assert report.unread["copies of texts from before their annotation (INITIAL_CAS)"] == 1
    assert report.unread["JSON files without a CAS"] == 1
    assert len(read(folder / "INITIAL_CAS.zip")[0]) == 1  # if it is named


def test_a_folder_whose_name_ends_as_a_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.txt.xmi").mkdir()
    write_xmi(tmp_path / "a.txt.xmi")
    assert len(read(tmp_path)[0]) == 1


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_byte_order_marks_and_line_ends(tmp_path: Path, mark: str) -> None:
    path = write_json(tmp_path / "a.json")
    text = mark + json.dumps(json.loads(path.read_text(encoding="utf8")), indent=1)
    path.write_bytes(text.replace("\n", "\r\n").encode())
    [record], _ = read(path)
    assert record.text == "😊 Ada\r\nbarks"
    xmi = write_xmi(tmp_path, mark + XMI.replace("\n", "\r\n"), mark + TYPE_SYSTEM)
    assert read(xmi)[0][0].text == "😊 Ada's dog\nbarks."


def test_views_are_documents_of_their_own(tmp_path: Path) -> None:
    cas = cassis.Cas()
    cas.sofa_string = "one"
    view = cas.create_view("other")
    view.sofa_string = "two"
    # Of its own JSON, cassis 0.12 reads only the first view.
    records, _ = read(write_xmi(tmp_path, cas.to_xmi(), cas.typesystem.to_xml()))
    assert [(record.text, record.where) for record in records] == [
        ("one", "view _InitialView"),
        ("two", "view other"),
    ]


def test_entities_that_grow_are_refused_at_once(tmp_path: Path) -> None:
    entities = '<!ENTITY e0 "ha">' + "".join(
        f'<!ENTITY e{level} "{f"&e{level - 1};" * 10}">' for level in range(1, 30)
    )
    laughs = XMI.replace("?>\n", f"?>\n<!DOCTYPE x [{entities}]>\n", 1).replace("Ada's", "&e29;")
    start = time.monotonic()
    with pytest.raises(ValueError, match=r"a\.xmi, line 2: a document type"):
        read(write_xmi(tmp_path, laughs))
    with pytest.raises(ValueError, match=r"TypeSystem\.xml, line 1: a document type"):
        read(write_xmi(tmp_path, XMI, f"<!DOCTYPE x [{entities}]><x>&e29;</x>"))
    assert time.monotonic() - start < 2


@pytest.mark.parametrize(
    "declared",
    ['[<!ENTITY leak SYSTEM "{}">]', '[<!ENTITY % leak SYSTEM "{}"> %leak;]', 'SYSTEM "{}"'],
)
def test_entities_that_read_files_are_refused(tmp_path: Path, declared: str) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret", encoding="utf8")
    doctype = f"?>\n<!DOCTYPE x {declared.format(secret.as_uri())}>\n"
    hostile = XMI.replace("?>\n", doctype, 1).replace("  <cas:NULL", "&leak;<cas:NULL", 1)
    with pytest.raises(ValueError, match="line 2: a document type"):
        read(write_xmi(tmp_path, hostile))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("</xmi:XMI>\n", "", r"line \d+: not XML"),
        ("😊", "\x01", r"line \d+: not XML"),
        ('begin="9"', 'begin="x"', "cannot be read as a CAS: ValueError"),
        ('begin="3"', 'begin="1"', "the offset 1 is inside a character"),
        ("custom:Clause", "custom:Claus", "cannot be read as a CAS: TypeNotFoundError"),
        ('members="2 ', 'members="77 ', "cannot be read as a CAS: KeyError"),
        (
            'mimeType="text"\n      sofaString',
            'sofaURI="x" mimeType',
            "has annotations but no text",
        ),
    ],
)
def test_broken_xmi_is_a_clear_error(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in XMI
    with pytest.raises(ValueError, match=rf"a\.xmi.*{message}"):
        read(write_xmi(tmp_path, XMI.replace(old, new)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps(JSON, indent=1)[:300], r"JSONDecodeError: .*line \d+"),
        ('{"%TYPES": {}}', "cannot be read as a CAS"),
        ("[1, 2]", "cannot be read as a CAS"),
        ('{"text": "a", "spans": []}', "cannot be read as a CAS"),
        ("", "cannot be read as a CAS"),
    ],
)
def test_broken_json_is_a_clear_error(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.json").write_text(text, encoding="utf8")
    with pytest.raises(ValueError, match=rf"a\.json.*{message}"):
        read(tmp_path / "a.json")


def test_missing_type_systems_and_damaged_archives_are_errors(tmp_path: Path) -> None:
    path = write_xmi(tmp_path)
    (tmp_path / "TypeSystem.xml").unlink()
    with pytest.raises(ValueError, match=r"needs its TypeSystem\.xml in the same folder"):
        read(path)
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("a.xmi", XMI)
    (tmp_path / "b.zip").write_bytes(data.getvalue())
    with pytest.raises(ValueError, match=r"b\.zip.a\.xmi needs its TypeSystem"):
        read(tmp_path / "b.zip")
    (tmp_path / "b.zip").write_bytes(data.getvalue()[:-30])
    with pytest.raises(ValueError, match="truncated, damaged or locked"):
        read(tmp_path / "b.zip")
    (tmp_path / "c.json").write_bytes(json.dumps({"é": 1}, ensure_ascii=False).encode("latin-1"))
    with pytest.raises(ValueError, match="not UTF-8"):
        read(tmp_path / "c.json")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED])
def test_archives_damaged_or_cut_off_inside_are_errors(tmp_path: Path, method: int) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("TypeSystem.xml", TYPE_SYSTEM)
        archive.writestr("a.xmi", XMI)
    data, place = path.read_bytes(), zipfile.ZipFile(path).getinfo("a.xmi").header_offset + 35
    for damaged in (data[:place] + b"\xff" * 99 + data[place + 99 :], data[place:]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"a\.zip is truncated, damaged or locked"):
            read(path)


def test_archives_of_other_files_are_errors_that_name_them(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("admin.jsonl", "b.zip", "c.txt", "d.txt"):
            archive.writestr(name, "{}")
    message = r"a\.zip holds no \.xmi, but admin\.jsonl, b\.zip, c\.txt, \.\.\.: unpack it"
    with pytest.raises(ValueError, match=message):
        read(tmp_path / "a.zip")


def test_without_the_library_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cassis", None)
    for path in (write_xmi(tmp_path), write_json(tmp_path / "a.json")):
        with pytest.raises(ValueError, match=r"pip install 'spacy-sener\[uima\]'"):
            read(path)


def test_zip_members_are_read_one_by_one_each_of_them_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uima, "MAX_UNPACKED", 100_000)
    with warnings.catch_warnings(), zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        warnings.simplefilter("ignore")  # of a name that comes twice
        archive.writestr("../a.xmi", XMI)
        archive.writestr("../a.xmi", XMI)
        archive.writestr("../TypeSystem.xml", TYPE_SYSTEM)
        archive.writestr("source.pdf", b" " * 200_000, zipfile.ZIP_DEFLATED)
    assert len(read(tmp_path / "a.zip")[0]) == 2
    with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive:
        archive.writestr("../b.xmi", b" " * 200_000, zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match=r"b\.xmi is larger than 100000 bytes, unpacked"):
        read(tmp_path / "a.zip")
