"""Word pieces are those that the encoder's own tokenizer gives for each word alone."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import srsly
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece import SentencePieceTrainer
from tiny_encoders import SPECIAL, TEXT, UNK
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, BertConfig, CanineConfig, CanineTokenizer
from transformers import PreTrainedTokenizerFast as FastTokenizer

from spacy_sener.pieces import PieceTokenizer

NAMES = ["pad_token", "unk_token", "cls_token", "sep_token", "mask_token"]
PIECES = {"pad": "PAD", "bos": "CLS", "eos": "SEP", "unk": "UNK"}  # sentencepiece's names
NASTY = ["Straße", "İstanbul", "don't", "2009-14", "\x01", "\u200b", "👩", "中文", "a b", " x"]
WORDS = st.lists(
    st.sampled_from([*TEXT.split(), *NASTY])
    | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
    max_size=12,
)


def save(tokenizer: Tokenizer, folder: Path, **special: str) -> Path:
    """A tokenizer and the config of the encoder that it belongs to."""
    fast = FastTokenizer(tokenizer_object=tokenizer, **special)
    fast.save_pretrained(folder)
    BertConfig(vocab_size=tokenizer.get_vocab_size()).save_pretrained(folder)
    return folder


def byte_level(folder: Path) -> Path:
    """As RoBERTa: no space is put before a text, and its first word reads unlike the others."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    ids = [(name, tokenizer.token_to_id(name)) for name in ("[SEP]", "[CLS]")]
    tokenizer.post_processor = processors.RobertaProcessing(*ids, add_prefix_space=False)
    return save(tokenizer, folder, **dict(zip(NAMES, SPECIAL, strict=True)))


def metaspace_never(folder: Path, tiny_deberta: Path) -> Path:
    """As some conversions of sentencepiece: nothing is put before a text."""
    tokenizer = Tokenizer.from_file(str(tiny_deberta / "tokenizer.json"))
    metaspace = pre_tokenizers.Metaspace(prepend_scheme="never")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([metaspace])
    return save(tokenizer, folder, **dict(zip(NAMES, SPECIAL, strict=True)))


def sentencepiece_alone(folder: Path, tiny_deberta: Path) -> Path:
    """As DeBERTa-v3 is published: the model of sentencepiece, and no tokenizer.json."""
    folder.mkdir()
    shutil.copy(tiny_deberta / "config.json", folder)
    settings = {"do_lower_case": False, "vocab_type": "spm"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    SentencePieceTrainer.train(
        sentence_iterator=iter([TEXT] * 20),
        model_prefix=str(folder / "spm"),
        vocab_size=300,
        hard_vocab_limit=False,
        minloglevel=2,
        **{f"{name}_piece": f"[{piece}]" for name, piece in PIECES.items()},
        **{f"{name}_id": number for number, name in enumerate(PIECES)},
    )
    return folder


@pytest.fixture(scope="module")
def folders(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, tiny_deberta: Path
) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("tokenizers")
    return {
        "wordpiece": tiny_encoder,
        "metaspace": tiny_deberta,
        "metaspace-never": metaspace_never(root / "never", tiny_deberta),
        "bytes": byte_level(root / "bytes"),
        "sentencepiece": sentencepiece_alone(root / "sentencepiece", tiny_deberta),
    }


@pytest.mark.parametrize(
    "kind", ["wordpiece", "metaspace", "metaspace-never", "bytes", "sentencepiece"]
)
def test_each_word_is_read_alone(folders: dict[str, Path], kind: str) -> None:
    ours = PieceTokenizer.from_pretrained(str(folders[kind]))
    theirs = AutoTokenizer.from_pretrained(str(folders[kind]))

    def alone(word: str) -> list[int]:
        spaced = kind in ("bytes", "metaspace-never") and not word.startswith(" ")
        ids: list[int] = theirs.encode(f" {word}" if spaced else word, add_special_tokens=False)
        return ids

    @settings(max_examples=60)
    @given(texts=st.lists(WORDS, max_size=3))
    def check(texts: list[list[str]]) -> None:
        encodings = ours.encode(texts)
        assert len(encodings) == len(texts)
        for words, encoding in zip(texts, encodings, strict=True):
            expected = [(i, piece) for i, word in enumerate(words) for piece in alone(word)]
            assert list(zip(encoding.word_ids, encoding.ids, strict=True)) == expected

    check()


def test_every_word_of_a_byte_level_tokenizer_gets_its_space(folders: dict[str, Path]) -> None:
    tokenizer = PieceTokenizer.from_pretrained(str(folders["bytes"]))
    [encoding] = tokenizer.encode([["the", "the", "university"]])
    pieces = tokenizer.strings(encoding.ids)
    firsts = [pieces[encoding.word_ids.index(i)] for i in range(3)]
    assert all(piece.startswith("Ġ") for piece in firsts)
    assert encoding.ids[0] == encoding.ids[1]


@pytest.mark.parametrize("kind", ["wordpiece", "metaspace", "metaspace-never", "bytes"])
def test_words_may_be_read_as_the_tokenizer_itself_reads_words(
    folders: dict[str, Path], kind: str
) -> None:
    words = ["the", "the", "university", "Zürich"]
    [encoding] = PieceTokenizer.from_pretrained(str(folders[kind]), spaced=False).encode([words])
    theirs = AutoTokenizer.from_pretrained(str(folders[kind]))
    expected = theirs(words, is_split_into_words=True, add_special_tokens=False)
    assert encoding.ids == expected["input_ids"]
    [spaced] = PieceTokenizer.from_pretrained(str(folders[kind])).encode([words])
    assert (spaced.ids == encoding.ids) == (kind in ("wordpiece", "metaspace"))


def test_special_pieces(tiny_encoder: Path) -> None:
    tokenizer = PieceTokenizer.from_pretrained(str(tiny_encoder))
    named = [tokenizer.pad_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id]
    assert tokenizer.strings(named) == ["[PAD]", "[CLS]", "[SEP]", "[MASK]"]
    assert tokenizer.strings(tokenizer.special_ids) == SPECIAL
    assert tokenizer.strings([10**6]) == [""]


@pytest.mark.parametrize("kind", ["wordpiece", "metaspace", "bytes", "sentencepiece"])
def test_plain_data_and_back(folders: dict[str, Path], kind: str) -> None:
    tokenizer = PieceTokenizer.from_pretrained(str(folders[kind]))
    data = srsly.msgpack_loads(srsly.msgpack_dumps(tokenizer.to_dict()))
    again = PieceTokenizer.from_dict(data)
    assert again == tokenizer
    words = [TEXT.split()[:40]]
    assert again.encode(words)[0].ids == tokenizer.encode(words)[0].ids
    assert len(repr(tokenizer)) < 300  # in a traceback too: without the vocabulary


def test_the_saved_length_limit_is_dropped(tiny_encoder: Path, tmp_path: Path) -> None:
    """Many published tokenizers cut and pad at 128 or 512 pieces if they are left to."""
    limited = Tokenizer.from_file(str(tiny_encoder / "tokenizer.json"))
    limited.enable_truncation(8)
    limited.enable_padding(length=16)
    folder = save(limited, tmp_path, **dict(zip(NAMES, SPECIAL, strict=True)))
    [many, one] = PieceTokenizer.from_pretrained(str(folder)).encode([["the"] * 50, ["the"]])
    assert (len(many.ids), len(one.ids)) == (50, 1)


def test_begin_and_end_of_text_stand_in_for_cls_and_sep(tiny_encoder: Path, tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_file(str(tiny_encoder / "tokenizer.json"))
    names = {"bos_token": "[CLS]", "eos_token": "[SEP]", "pad_token": "[PAD]", "unk_token": UNK}
    folder = save(tokenizer, tmp_path, **names, mask_token="[MASK]")
    found = PieceTokenizer.from_pretrained(str(folder))
    assert found.strings([found.cls_id, found.sep_id]) == ["[CLS]", "[SEP]"]


@pytest.mark.parametrize("missing", ["pad_token", "cls_token", "sep_token", "mask_token"])
def test_a_missing_special_piece_is_named(tiny_encoder: Path, tmp_path: Path, missing: str) -> None:
    tokenizer = Tokenizer.from_file(str(tiny_encoder / "tokenizer.json"))
    special = {k: v for k, v in zip(NAMES, SPECIAL, strict=True) if k != missing}
    folder = save(tokenizer, tmp_path, **special)
    with pytest.raises(ValueError, match=f"{tmp_path.name}.* defines no {missing}_id"):
        PieceTokenizer.from_pretrained(str(folder))


def test_a_slow_tokenizer_is_refused(tmp_path: Path) -> None:
    CanineTokenizer().save_pretrained(tmp_path)
    CanineConfig().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"only a slow tokenizer \(CanineTokenizer\)"):
        PieceTokenizer.from_pretrained(str(tmp_path))


def test_special_pieces_are_added_whole(tiny_encoder: Path) -> None:
    plain = PieceTokenizer.from_pretrained(str(tiny_encoder))
    more = plain.with_special("<<A>>", "<<B>>")
    assert (more.n_pieces, more.piece_id("<<B>>")) == (plain.n_pieces + 2, plain.n_pieces + 1)
    assert more.special_ids == (*plain.special_ids, plain.n_pieces, plain.n_pieces + 1)
    words = ["Anna", "<<B>>", "the"]
    assert more.encode([words])[0].ids.count(more.piece_id("<<B>>")) == 1
    assert len(plain.encode([words])[0].ids) > len(more.encode([words])[0].ids)
    assert more.with_special("<<A>>") == more == PieceTokenizer.from_dict(more.to_dict())
    with pytest.raises(ValueError, match="no piece '<<A>>'"):
        plain.piece_id("<<A>>")


def test_the_class_name_of_later_transformers_is_known(
    tiny_encoder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = PieceTokenizer.from_pretrained(str(tiny_encoder))
    shutil.copytree(tiny_encoder, tmp_path, dirs_exist_ok=True)
    config = tmp_path / "tokenizer_config.json"
    about = {**json.loads(config.read_text()), "tokenizer_class": "TokenizersBackend"}
    config.write_text(json.dumps({**about, "backend": "tokenizers", "is_local": True}))
    assert PieceTokenizer.from_pretrained(str(tmp_path)) == expected
    assert not caplog.records


FORKS = """
import os, sys
from spacy_sener.pieces import PieceTokenizer
tokenizer = PieceTokenizer.from_pretrained(sys.argv[1])
pieces = [text.ids for text in tokenizer.encode([["Anna", "lives"]] * 100)]
child = os.fork()
same = [text.ids for text in tokenizer.encode([["Anna", "lives"]] * 100)] == pieces
if not child:
    os._exit(not (same and os.environ["TOKENIZERS_PARALLELISM"] == sys.argv[2]))
assert same and os.waitpid(child, 0)[1] == 0
print(os.environ.get("TOKENIZERS_PARALLELISM"))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("setting", [None, "off"])
def test_a_forked_worker_reads_without_a_word(tiny_encoder: Path, setting: str | None) -> None:
    """The parent's own setting, or that it has none, stays."""
    env = {name: value for name, value in os.environ.items() if name != "TOKENIZERS_PARALLELISM"}
    done = subprocess.run(
        [sys.executable, "-c", FORKS, tiny_encoder, setting or "false"],
        env=env if setting is None else {**env, "TOKENIZERS_PARALLELISM": setting},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{setting}\n", "")
