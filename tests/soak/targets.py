"""What reads files that others made, each as a function of bytes, and small files to begin with.

For every input a target returns, or raises ValueError or OSError. Anything else is a bug, and so
is one that takes forever, or memory that its size does not justify.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from io import BytesIO
from pathlib import Path

import spacy
import torch
from safetensors.torch import save
from spacy.language import Language
from spacy.tokens import DocBin, Span
from transformers import BertConfig, DebertaV2Config

from spacy_sener.checkpoints import load_gliner_checkpoint, load_sener_checkpoint
from spacy_sener.corpora.readers import FORMATS, read_docs
from spacy_sener.corpora.report import Report
from spacy_sener.nn.encoder import ArrowEncoder, EncoderSettings
from spacy_sener.nn.gliner import GLiNER, GLiNERSettings
from spacy_sener.nn.sener import SeNER
from spacy_sener.nn.span_table import SpanTable

Target = Callable[[bytes], None]

BREAK = b"\0\0\0"
"""Between a text and its annotations, which are two files."""
SUFFIXES = {"uima": ".xmi", "spacy": ".spacy", "conll": ".conll"}
TEXT = "Anna Keller works in London ."
SPANS = [[0, 11, "PER"], [21, 27, "LOC"]]
WORDS = TEXT.split()


def read(record_format: str) -> Target:
    """Reads a file of that format; the last one is a zip archive of UIMA's."""
    suffix = SUFFIXES.get(record_format, ".jsonl")

    def target(data: bytes) -> None:
        with tempfile.TemporaryDirectory(dir=_memory_disk()) as folder:
            path = Path(folder) / f"a{suffix}"
            if record_format == "brat":
                text, _, annotations = data.partition(BREAK)
                path = Path(folder) / "a.ann"
                path.with_suffix(".txt").write_bytes(text)
                data = annotations
            elif data.startswith(b"PK"):
                path = Path(folder) / "a.zip"
            elif record_format == "uima":
                (Path(folder) / "TypeSystem.xml").write_text(TYPES)
            path.write_bytes(data)
            _allowed(
                lambda: list(read_docs(path, _nlp(), report=Report(), record_format=record_format))
            )

    return target


def gliner_file(name: str) -> Target:
    """Loads a checkpoint of GLiNER, of which one file is the input."""

    def target(data: bytes) -> None:
        with tempfile.TemporaryDirectory(dir=_memory_disk()) as folder:
            files = {**gliner_files(), name: data}
            if name == "pytorch_model.bin":
                del files["model.safetensors"]
            for each, content in files.items():
                (Path(folder) / each).write_bytes(content)
            _allowed(lambda: load_gliner_checkpoint(folder))

    return target


def sener_file(name: str) -> Target:
    """Loads a checkpoint of SeNER, of which one file is the input."""

    def target(data: bytes) -> None:
        with tempfile.TemporaryDirectory(dir=_memory_disk()) as folder:
            for each, content in {**sener_files(), name: data}.items():
                (Path(folder) / each).write_bytes(content)
            _allowed(lambda: load_sener(Path(folder)))

    return target


def load_sener(folder: Path) -> SeNER:
    """Load what `sener_files` has."""
    return load_sener_checkpoint(
        folder / "best.pth",
        encoder_config=folder / "config.json",
        labels=["A", "B"],
        span_window=4,
        piece_window=4,
    )


def _allowed(call: Callable[[], object]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with suppress(ValueError, OSError):
            call()


def _memory_disk() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - folders of our own


@cache
def _nlp() -> Language:
    return spacy.blank("en")


ENCODER = {"vocab_size": 30, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
ENCODER |= {"intermediate_size": 8, "max_position_embeddings": 16}


@cache
def gliner_files() -> dict[str, bytes]:
    """A checkpoint of GLiNER, by the names of its files."""
    from test_gliner_checkpoints import their_name

    config = BertConfig(**ENCODER)
    encoder = ArrowEncoder(config, EncoderSettings(attention="full", logn=False, lora=None))
    module = GLiNER(encoder, GLiNERSettings(hidden_size=8, marker=28))
    values = {
        "span_mode": "token_level",
        "model_name": "tiny",
        "hidden_size": 8,
        "class_token_index": 28,
        "num_rnn_layers": 1,
        "encoder_config": {"model_type": "bert", **ENCODER},
    }
    markers = [{"content": "<<ENT>>", "id": 28}, {"content": "<<SEP>>", "id": 29}]
    return {
        "gliner_config.json": json.dumps(values).encode(),
        "tokenizer.json": json.dumps({"added_tokens": markers}).encode(),
        "model.safetensors": save({their_name(k): v for k, v in module.state_dict().items()}),
    }


@cache
def _gliner_pickle() -> bytes:
    from safetensors.torch import load

    return _torch_bytes(load(gliner_files()["model.safetensors"]))


@cache
def sener_files() -> dict[str, bytes]:
    """A checkpoint of SeNER, and the config of its encoder."""
    values = {**ENCODER, "type_vocab_size": 0, "relative_attention": True, "position_buckets": 4}
    values |= {"pos_att_type": ["p2c", "c2p"], "share_att_key": True, "norm_rel_ebd": "layer_norm"}
    values |= {"position_biased_input": False, "attention_probs_dropout_prob": 0.0}
    config = DebertaV2Config(**values)
    encoder = ArrowEncoder(config, EncoderSettings(piece_window=4, lora=None))
    module = SeNER(encoder, SpanTable(8, 2, span_window=4, hidden_size=8, span_size=4, depth=1))
    return {
        "best.pth": _torch_bytes(module.state_dict()),
        "config.json": json.dumps({"model_type": "deberta-v2", **values}).encode(),
    }


def _torch_bytes(state: dict[str, torch.Tensor]) -> bytes:
    file = BytesIO()
    torch.save(state, file)
    return file.getvalue()


def _docbin() -> bytes:
    doc = _nlp()(TEXT)
    doc.spans["sc"] = [Span(doc, 0, 2, "PER"), Span(doc, 4, 5, "LOC")]
    doc.spans["sc"].attrs["scores"] = [0.5, 0.25]
    return DocBin(docs=[doc], store_user_data=True).to_bytes()


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def seeds(name: str) -> list[bytes]:
    """Whole files for a target, for a fuzzer to damage."""
    if name == "gliner pytorch_model.bin":
        return [_gliner_pickle()]
    kind, _, file = name.partition(" ")
    if kind in ("gliner", "sener"):
        return [(gliner_files() if kind == "gliner" else sener_files())[file]]
    if file == "spacy":
        return [_docbin()]
    return READER_SEEDS.get(file, [seed for seeds in READER_SEEDS.values() for seed in seeds])


TAGGED = "-DOCSTART- -X- O\n\nAnna NNP B-PER\nKeller NNP I-PER\nworks VBZ O\n\nLondon NNP B-LOC\n"
WEBANNO = (
    "#FORMAT=WebAnno TSV 3.3\n#T_SP=webanno.custom.Span|label|role\n\n\n#Text=Anna works.\n"
    "1-1\t0-4\tAnna\tPER[1]|X\t_\t\n1-2\t5-10\tworks\tPER[1]\t*\t\n1-3\t10-11\t.\t_\t_\t\n"
)
XMI = (
    '<?xml version="1.0"?><xmi:XMI xmlns:xmi="http://www.omg.org/XMI" '
    'xmlns:cas="http:///uima/cas.ecore" xmi:version="2.0"><cas:NULL xmi:id="0"/><cas:Sofa '
    'xmi:id="1" sofaNum="1" sofaID="_InitialView" mimeType="text" sofaString="Anna works."/>'
    '<custom:Span xmlns:custom="http:///custom.ecore" xmi:id="2" sofa="1" begin="0" end="4" '
    'value="PER"/><cas:View sofa="1" members="2"/></xmi:XMI>'
)
TYPES = (
    '<typeSystemDescription xmlns="http://uima.apache.org/resourceSpecifier"><types>'
    "<typeDescription><name>custom.Span</name><supertypeName>uima.tcas.Annotation</supertypeName>"
    "<features><featureDescription><name>value</name><rangeTypeName>uima.cas.String"
    "</rangeTypeName></featureDescription></features></typeDescription></types>"
    "</typeSystemDescription>"
)
LABELLED = [{"start": s, "end": e, "labels": [label], "text": TEXT[s:e]} for s, e, label in SPANS]
RESULT = [
    {"id": str(i), "from_name": "l", "to_name": "text", "type": "labels", "value": value}
    for i, value in enumerate(LABELLED)
]
PROMPTS = [{"start": s, "end": e, "label": label, "score": 0.5} for s, e, label in SPANS]
READER_SEEDS: dict[str, list[bytes]] = {
    "jsonl": [
        _json({"text": TEXT, "spans": SPANS, "id": 1}) + b"\n" + _json({"text": "", "label": []}),
        _json({"text": TEXT, "spans": PROMPTS, "gliner_labels": ["PER"], "_is_binary": False}),
    ],
    "json": [_json([{"text": TEXT, "entities": SPANS}])],
    "offsets": [_json({"text": TEXT, "spans": SPANS})],
    "tokens": [_json({"text": WORDS, "entity": [{"start": 0, "end": 2, "type": "PER"}]})],
    "raw": [_json({"raw": TEXT, "raw_entity": [{"start": 0, "end": 11, "type": "PER"}]})],
    "label-studio": [
        _json([{"id": 1, "data": {"text": TEXT}, "annotations": [{"result": RESULT}]}])
    ],
    "brat": [
        TEXT.encode() + BREAK + b"T1\tPER 0 11\tAnna Keller\nT2\tLOC 21 24;25 27\tLon on\n"
        b"R1\tat Arg1:T1 Arg2:T2\nE1\tPER:T1\nA1\tsure T1\n#1\tNote T1\tx\n*\tEquiv T1 T2\n"
    ],
    "squad": [
        _json(
            {
                "data": [
                    {
                        "title": "t",
                        "paragraphs": [
                            {
                                "context": TEXT,
                                "qas": [
                                    {
                                        "id": "t__PER",
                                        "question": "Who?",
                                        "answers": [{"text": "Anna Keller", "answer_start": 0}],
                                    }
                                ],
                            }
                        ],
                    }
                ]
            }
        )
    ],
    "scirex": [
        _json({"doc_id": "a", "words": WORDS, "ner": [[0, 2, "PER"]], "sentences": [[0, 6]]})
    ],
    "gliner": [_json([{"tokenized_text": WORDS, "ner": [[0, 1, "PER"]], "ner_labels": ["PER"]}])],
    "conll": [TAGGED.encode()],
    "webanno": [WEBANNO.encode()],
    "uima": [XMI.encode()],
}

TARGETS: dict[str, Target] = {
    **{f"read {name}": read(name) for name in FORMATS},
    **{f"gliner {name}": gliner_file(name) for name in ("gliner_config.json", "tokenizer.json")},
    **{f"gliner {name}": gliner_file(name) for name in ("model.safetensors", "pytorch_model.bin")},
    **{f"sener {name}": sener_file(name) for name in ("best.pth", "config.json")},
}
