"""UIMA CAS: XMI, and the JSON that INCEpTION exports, read by the library dkpro-cassis.

Of a folder, such as an unpacked project of INCEpTION, the copies of texts that it keeps from before
their annotation (INITIAL_CAS) are counted and left out, as is JSON of other kinds.

XMI needs its type system, `TypeSystem.xml` in the same folder or, as INCEpTION exports it, in the
same `.zip`. The JSON holds it. A file is read whole. A document type in XML, which could hold
entities that grow or read other files, is refused.

Offsets of the files count UTF-16 units; cassis turns them into offsets in characters. The label is
the value of one feature of a layer, see `layers`; relations, chains and layers of linguistic
annotations are counted, and not read.
"""

from __future__ import annotations

import io
import lzma
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from xml.parsers import expat

from .files import MAX_UNPACKED, files_below, plain_suffix, read_bytes, read_text
from .json_lists import top_level_keys
from .layers import has_spans, label_feature, short_name
from .records import TextRecord
from .report import Report

if TYPE_CHECKING:
    from cassis import Cas
    from cassis.typesystem import FeatureStructure, Type, TypeSystem

SUFFIXES = (".xmi", ".json", ".zip")
TYPE_SYSTEM = "typesystem.xml"
ANNOTATION, STRING = "uima.tcas.Annotation", "uima.cas.String"
METADATA = "de.tudarmstadt.ukp.dkpro.core.api.metadata.type.DocumentMetaData"
# Layers with both features hold relations, or the links of chains.
NO_SPANS = ({"Governor", "Dependent"}, {"referenceType", "referenceRelation"})
# What zipfile raises: OSError of bzip2, ValueError for places outside the file; RuntimeError for a
# password and, as one of its subclasses, for a way of packing that it does not know.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
)
# What cassis says of an offset that it leaves as it is.
WRONG_OFFSET = re.compile(r"Not mapping external offset \[(-?\d+)\]")


def read_uima(path: Path, report: Report) -> Iterator[TextRecord]:
    """The documents of a file, or of all files of a folder and of the folders in it."""
    if path.is_dir():
        for file in _files(path, report):
            yield from read_uima(file, report)
    elif plain_suffix(path) == ".zip":
        for name, cas in _load_zip(path):
            yield from _records(path / name, cas, report)
    else:
        load = _load_json if plain_suffix(path) == ".json" else _load_xmi_file
        yield from _records(path, load(path), report)


def _files(folder: Path, report: Report) -> Iterator[Path]:
    """The files to read of a folder; those left out are in the report."""
    for file in files_below(folder):
        if plain_suffix(file) not in SUFFIXES:
            continue
        if file.name.startswith("INITIAL_CAS."):
            report.add_unread("copies of texts from before their annotation (INITIAL_CAS)", 1)
        elif plain_suffix(file) == ".json" and not holds_cas(file):
            report.add_unread("JSON files without a CAS", 1)
        else:
            yield file


def holds_cas(path: Path) -> bool:
    """Whether a file of JSON has keys as a CAS has: %TYPES, %FEATURE_STRUCTURES."""
    return any(key.startswith("%") for key, _ in top_level_keys(path))


def _load_json(path: Path) -> Cas:
    text = read_text(path)

    def load() -> Cas:
        from cassis import load_cas_from_json

        return load_cas_from_json(text)

    return _loaded(path, load)


def _load_xmi_file(path: Path) -> Cas:
    data = read_bytes(path)
    beside = (file for file in path.parent.iterdir() if file.name.lower() == TYPE_SYSTEM)
    type_system = next(beside, None)
    return _load_xmi(path, data, read_bytes(type_system) if type_system else None)


def _load_zip(path: Path) -> Iterator[tuple[str, Cas]]:
    data = io.BytesIO(read_bytes(path))
    with _clear_errors(path):
        archive = zipfile.ZipFile(data)
    members = sorted(archive.infolist(), key=lambda member: member.filename)
    _check_members(path, [member.filename for member in members])
    types = {member.filename.lower().rpartition("/")[0::2]: member for member in members}
    for member in members:
        name = member.filename
        if name.lower().endswith(".xmi"):
            beside = types.get((name.lower().rpartition("/")[0], TYPE_SYSTEM))
            type_system = _read_member(path, archive, beside) if beside else None
            xmi = _read_member(path, archive, member)
            yield name, _load_xmi(path / name, xmi, type_system)


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except DAMAGED as error:
        raise ValueError(f"{path} is truncated, damaged or locked: {error}") from error


def _check_members(path: Path, names: list[str]) -> None:
    """Raise ValueError for an archive of other files, such as doccano's of JSON lines."""
    if not any(name.lower().endswith(".xmi") for name in names):
        shown = ", ".join([*names[:3], *(["..."] if len(names) > 3 else [])]) or "nothing"
        raise ValueError(f"{path} holds no .xmi, but {shown}: unpack it, and name a file of it")


def _read_member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if member.file_size > MAX_UNPACKED:
        raise ValueError(f"{path / member.filename} is larger than {MAX_UNPACKED} bytes, unpacked")
    with _clear_errors(path):
        return archive.read(member)


def _load_xmi(path: Path, data: bytes, type_system: bytes | None) -> Cas:
    if type_system is None:
        raise ValueError(f"{path} needs its TypeSystem.xml in the same folder")
    _check_xml(path.with_name("TypeSystem.xml"), type_system)
    _check_xml(path, data)

    def load() -> Cas:
        from cassis import load_cas_from_xmi, load_typesystem

        types = load_typesystem(io.BytesIO(type_system))
        return load_cas_from_xmi(io.BytesIO(data), typesystem=types)

    return _loaded(path, load)


def _check_xml(path: Path, data: bytes) -> None:
    """Raise ValueError, with the line, for what is not XML or declares a document type."""

    def refuse(*_: object) -> NoReturn:
        line = parser.CurrentLineNumber
        raise ValueError(f"{path}, line {line}: a document type (DTD) is declared, none is read")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise ValueError(f"{path}, line {error.lineno}: not XML: {error}") from error


def _loaded(path: Path, load: Callable[[], Cas]) -> Cas:
    """What `load` gives; all that cassis raises for a file that is not as it should be, clearly."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            cas = load()
    except ImportError as error:
        needed = "XMI and UIMA JSON need dkpro-cassis: pip install 'spacy-sener[uima]'"
        raise ValueError(f"{path}: {needed}") from error
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path} cannot be read as a CAS: {what}") from error
    for warning in caught:
        _check_offset(path, cas, warning.message)
    return cas


def _check_offset(path: Path, cas: Cas, warning: Warning | str) -> None:
    """Raise ValueError for an offset between the halves of a character, which cassis would keep.

    Those outside the text are left to the report, and other warnings, on names, matter to nobody.
    """
    match = WRONG_OFFSET.match(str(warning))
    texts = (view.sofa.sofaString or "" for view in cas.views)
    if match and 0 <= int(match[1]) <= max(len(text.encode("utf-16-le")) // 2 for text in texts):
        raise ValueError(f"{path}: the offset {match[1]} is inside a character of two UTF-16 units")


def _records(path: Path, cas: Cas, report: Report) -> Iterator[TextRecord]:
    for view in cas.views:
        structures = view.get_all_fs()
        text = view.sofa.sofaString
        if text is None and structures:
            raise ValueError(f"{path}: the view {view.sofa.sofaID} has annotations but no text")
        if text is not None:
            items = list(_items(structures, cas.typesystem, report))
            yield TextRecord(_name(path, structures), f"view {view.sofa.sofaID}", text, items)


def _name(path: Path, structures: list[FeatureStructure]) -> str:
    metadata = (structure for structure in structures if structure.type.name == METADATA)
    titles = (structure.documentTitle or structure.documentId for structure in metadata)
    return next(titles, None) or path.name


def _items(
    structures: list[FeatureStructure], types: TypeSystem, report: Report
) -> Iterator[dict[str, Any]]:
    for structure in structures:
        layer = structure.type
        if _is_span_layer(layer, types):
            feature = label_feature(_string_features(layer, types))
            label = structure[feature] if feature else short_name(layer.name)
            item = {"start": structure.begin, "end": structure.end, "label": label}
            yield {**item, "layer": layer.name}
        else:
            report.add_unread(f"{layer.name}, annotations", 1)


def _is_span_layer(layer: Type, types: TypeSystem) -> bool:
    features = {feature.name for feature in layer.all_features}
    is_annotation = types.is_instance_of(layer, ANNOTATION)
    return is_annotation and has_spans(layer.name) and not any(no <= features for no in NO_SPANS)


def _string_features(layer: Type, types: TypeSystem) -> list[str]:
    features = layer.all_features
    return [each.name for each in features if types.is_instance_of(each.rangeType, STRING)]
