"""Saved pipelines: written as a whole, and never loaded with weights that are not theirs."""

import copy
import gc
import json
import pickle
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly
import torch
from full_disk import largest_file
from spacy.language import Language
from spacy.tokens import Doc
from tiny_sener import MODEL, TEXT, blank, example, initialize, module_of, shorten

from spacy_sener.weights import dump, read


@pytest.fixture(scope="module")
def nlp(tiny_encoder: Path) -> Language:
    return initialize(blank(threshold=0.0), tiny_encoder)


@pytest.fixture(scope="module")
def saved(nlp: Language, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "pipeline"
    nlp.to_disk(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "pipeline"))


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """In the file, with a right checksum: as somebody does who means it."""
    change_model(folder, lambda spec, weights: change(weights))


def change_model(folder: Path, change: Callable[[dict[str, Any], Any], object]) -> None:
    path = folder / "sener" / "model"
    model = srsly.read_msgpack(path)
    spec, weights = read(model["shims"][0][0])
    change(spec, weights)
    model["shims"][0][0] = dump(spec, weights)
    srsly.write_msgpack(path, model)
    write_sums(folder)


def write_sums(folder: Path) -> None:
    names = ["cfg", "model"]
    done = subprocess.run(["sha256sum", *names], cwd=folder / "sener", capture_output=True)
    (folder / "sener" / "SHA256SUMS").write_bytes(done.stdout)


def test_a_wider_table_reads_what_a_narrow_one_learned(folder: Path, nlp: Language) -> None:
    window = nlp.config["components"]["sener"]["model"]["span_window"]
    wide = spacy.load(folder, config={"components.sener.model.span_window": 2 * window})
    short, long = TEXT.split(" ")[: window + 1], TEXT.split(" ") * 3

    def read(each: Language, words: list[str]) -> Doc:
        return each(Doc(each.vocab, words))

    one, other = (read(each, short) for each in (nlp, wide))
    scores = [list(doc.spans["sc"].attrs["scores"]) for doc in (one, other)]
    assert scores[0] == pytest.approx(scores[1]), "there is nothing in the wider part"
    one, other = (read(each, long) for each in (nlp, wide))
    longest, wider = (max(map(len, doc.spans["sc"])) for doc in (one, other))
    assert longest <= window + 1 < wider <= 2 * window + 1


@pytest.mark.parametrize("left", ["model", "cfg"])
def test_a_part_of_a_component_can_be_saved_again(folder: Path, left: str) -> None:
    sener = spacy.load(folder).get_pipe("sener")
    before = (folder / "sener" / left).read_bytes()
    sener.cfg["threshold"] = 0.25
    sener.to_disk(folder / "sener", exclude=[left])
    assert (folder / "sener" / left).read_bytes() == before
    loaded = spacy.load(folder).get_pipe("sener")
    assert loaded.cfg["threshold"] == (0.25 if left == "model" else 0.0)
    shorten(folder / "sener" / left, len(before) - 1)
    with pytest.raises(ValueError, match=f"{left} is not what was saved"):
        spacy.load(folder)


def test_a_pipeline_that_is_being_trained_can_be_copied(tiny_encoder: Path) -> None:
    """As it is sent to workers that are spawned: its optimizer goes with it."""
    nlp = blank(threshold=0.0)
    nlp.config["training"]["optimizer"] = {"@optimizers": "spacy-sener.AdamW.v1"}
    initialize(nlp, tiny_encoder)
    optimizer = nlp.create_optimizer()
    nlp.update([example()], sgd=optimizer)
    for copied in (pickle.loads(pickle.dumps(nlp)), copy.deepcopy(nlp)):  # noqa: S301 - our own
        assert list(copied(TEXT).spans["sc"].attrs["scores"]) == pytest.approx(
            list(nlp(TEXT).spans["sc"].attrs["scores"])
        )


def test_checksums_are_those_of_sha256sum(folder: Path) -> None:
    check = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    done = subprocess.run(check, cwd=folder / "sener", capture_output=True, text=True)
    assert done.stdout.splitlines() == ["cfg: OK", "model: OK"]


@pytest.mark.parametrize("name", ["cfg", "model"])
def test_one_changed_bit_is_found(folder: Path, name: str) -> None:
    path = folder / "sener" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"sener/{name} is not what was saved.*again"):
        spacy.load(folder)


def test_one_changed_bit_of_the_weights_is_found_in_bytes(nlp: Language) -> None:
    component: Any = nlp.get_pipe("sener")
    data = bytearray(component.to_bytes())
    data[-1000] ^= 1
    with pytest.raises(ValueError, match=r"these bytes.*not those that the checksum was made of"):
        blank().get_pipe("sener").from_bytes(bytes(data))


def test_a_folder_without_checksums_says_so(folder: Path) -> None:
    (folder / "sener" / "SHA256SUMS").unlink()
    with pytest.warns(UserWarning, match="has no file SHA256SUMS"):
        assert "sc" in spacy.load(folder)(TEXT).spans


def test_checksums_that_leave_a_file_out_are_refused(folder: Path) -> None:
    path = folder / "sener" / "SHA256SUMS"
    cfg, model = sorted(path.read_text().splitlines(), key=lambda line: line[-3:])
    for text, missing in (("", "cfg"), (cfg, "model"), (model, "cfg")):
        path.write_text(text)
        with pytest.raises(ValueError, match=f"is damaged: it has no checksum of {missing}"):
            spacy.load(folder)


@pytest.mark.parametrize("line", ["../../etc/passwd", "/etc/passwd", "a/b"])
def test_checksums_are_of_files_in_the_folder(folder: Path, line: str) -> None:
    (folder / "sener" / "SHA256SUMS").write_text(f"{'0' * 64}  {line}\n")
    with pytest.raises(ValueError, match="is no checksum of a file"):
        spacy.load(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(folder: Path, value: float) -> None:
    change_weights(folder, lambda weights: weights["table.output.bias"].fill_(value))
    with pytest.raises(ValueError, match=r"no finite number: \['table.output.bias'\]"):
        spacy.load(folder)


def test_a_version_of_the_future(folder: Path) -> None:
    path = folder / "sener" / "model"
    model = srsly.read_msgpack(path)
    shim = srsly.msgpack_loads(model["shims"][0][0])
    model["shims"][0][0] = srsly.msgpack_dumps({**shim, "version": 2, "weights": {"new": "form"}})
    srsly.write_msgpack(path, model)
    write_sums(folder)
    with pytest.raises(ValueError, match=r"of version 2, .* knows version 1.*by a later one"):
        spacy.load(folder)


def test_what_the_model_file_says_of_settings_does_not_count(folder: Path) -> None:
    path = folder / "sener" / "model"
    model = srsly.read_msgpack(path)
    model["attrs"][0] = {name: srsly.msgpack_dumps(10**9) for name in model["attrs"][0]}
    srsly.write_msgpack(path, model)
    write_sums(folder)
    attrs = spacy.load(folder).get_pipe("sener").model.attrs
    assert (attrs["max_pieces"], attrs["span_window"], attrs["average"]) == (64, 6, "logits")


@pytest.mark.parametrize("base", ["somebody/else", "elsewhere"])
def test_a_model_with_all_its_weights_reads_no_others(
    folder: Path, tiny_encoder: Path, tmp_path: Path, base: str
) -> None:
    shutil.copytree(tiny_encoder, tmp_path / "elsewhere")
    named = str(tmp_path / base) if base == "elsewhere" else base
    change_model(folder, lambda spec, _: spec.update(base=named))
    with pytest.raises(ValueError, match=f"names '{named}' to take them from; but save_encoder"):
        spacy.load(folder)


def in_spec(**values: Any) -> Callable[[Path], None]:
    return lambda folder: change_model(folder, lambda spec, _: spec["encoder"].update(values))


def in_config(**values: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.cfg"
        text = path.read_text()
        for name, value in values.items():
            text = text.replace(f"{name} = {MODEL[name]}\n", f"{name} = {value}\n")
        path.write_text(text)

    return change


@pytest.mark.parametrize(
    "change",
    [
        in_spec(vocab_size=10**12),
        in_spec(hidden_size=10**9),
        in_spec(max_position_embeddings=10**13),
        in_spec(num_hidden_layers=10**9),
        in_spec(num_hidden_layers="many"),
        in_spec(model_type="none"),
        in_config(hidden_size=10**12),
        in_config(depth=10**9),
    ],
)
def test_a_folder_takes_no_more_memory_than_its_weights(
    folder: Path, change: Callable[[Path], None]
) -> None:
    change(folder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=r"'sener' cannot be loaded"):
        spacy.load(folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes


class Trap:
    """Pickled, it is a call that makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["cfg", "model"])
@pytest.mark.parametrize("form", ["pickle", "torch", "array"])
def test_pickles_run_nothing(folder: Path, tmp_path: Path, name: str, form: str) -> None:
    path, trap = folder / "sener" / name, tmp_path / "sprung"
    if form == "torch":
        torch.save(Trap(trap), path)
    elif form == "pickle":
        path.write_bytes(pickle.dumps(Trap(trap)))
    else:  # an array of objects, in numpy's form for msgpack
        array = {b"nd": True, b"type": "|O", b"kind": b"", b"shape": [1]}
        path.write_bytes(srsly.msgpack_dumps({**array, b"data": pickle.dumps(Trap(trap))}))
    write_sums(folder)
    with pytest.raises(ValueError, match=r"'sener' cannot be loaded"):
        spacy.load(folder)
    assert not trap.exists()


@pytest.mark.parametrize(
    "data", [b"\xdd\x7f\xff\xff\xff", b"\x91" * 100_000, b"\xc6\x7f\xff\xff\xff"]
)
def test_headers_that_promise_much(folder: Path, data: bytes) -> None:
    (folder / "sener" / "model").write_bytes(data)
    write_sums(folder)
    with pytest.raises(ValueError, match=r"'sener' cannot be loaded"):
        spacy.load(folder)
    assert gc.isenabled()


# Written whole


def test_a_full_disk_leaves_what_was_there(nlp: Language, folder: Path) -> None:
    before = files_of(folder / "sener")
    component: Any = nlp.get_pipe("sener")
    with largest_file(10_000), pytest.raises(OSError, match="File too large"):
        component.to_disk(folder / "sener", exclude=["vocab"])
    assert files_of(folder / "sener") == before
    assert sorted(file.name for file in (folder / "sener").iterdir()) == [
        *("SHA256SUMS", "cfg", "model")
    ]
    assert "sc" in spacy.load(folder)(TEXT).spans


def test_ctrl_c_leaves_what_was_there(nlp: Language, folder: Path) -> None:
    """When the weights are being gathered, after 'cfg' was written."""
    # Where tests run in the background of a shell, Python finds the signal ignored, and leaves it.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    before = files_of(folder / "sener")
    component: Any = nlp.get_pipe("sener")

    def interrupt(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    hook = module_of(nlp)._register_state_dict_hook(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            component.to_disk(folder / "sener", exclude=["vocab"])
    finally:
        hook.remove()
        signal.signal(signal.SIGINT, handler)
    assert files_of(folder / "sener") == before
    assert not (folder / "sener" / ".part").exists()
    spacy.load(folder)


def test_other_files_in_the_folder_stay(nlp: Language, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    nlp.to_disk(tmp_path)
    nlp.get_pipe("sener").to_disk(tmp_path)  # with its vocabulary, beside the pipeline's
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert json.loads((tmp_path / "cfg").read_text())["labels"] == ["PERSON", "PLACE"]
    spacy.load(tmp_path)


def test_a_threshold_that_came_from_scores(tiny_encoder: Path, tmp_path: Path) -> None:
    nlp = initialize(blank(threshold=0.0), tiny_encoder)
    lowest = nlp(TEXT).spans["sc"].attrs["scores"].min()
    nlp.get_pipe("sener").cfg["threshold"] = lowest
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path).get_pipe("sener")
    saved = pytest.approx(float(lowest), rel=0, abs=1e-10)  # spaCy's JSON keeps ten decimals
    assert loaded.cfg["threshold"] == saved
    nlp.get_pipe("sener").cfg["threshold"] = lowest
    assert loaded.from_bytes(nlp.get_pipe("sener").to_bytes()).cfg["threshold"] == saved
