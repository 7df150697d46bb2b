"""`ArrowTransformer.v1` under spacy-transformers' component, with taggers and span tables on it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import spacy
import torch
from listening import (
    DATA,
    LONG_TEXT,
    assert_learned,
    examples,
    found_spans,
    initialized,
    pipeline,
    token_vectors,
    train,
    transformer_module,
    weights,
)
from spacy.lang.en import English
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training import Example

from spacy_sener.optimizers import build_adamw_v1
from spacy_sener.pieces import PieceTokenizer
from spacy_sener.windows import make_windows


@pytest.fixture(scope="module")
def trained(tiny_encoder: Path) -> Language:
    nlp = initialized(tiny_encoder, "tagger", "sener")
    train(nlp, 60)
    return nlp


@pytest.fixture(scope="module")
def untrained(tiny_encoder: Path) -> Language:
    return initialized(tiny_encoder)


@pytest.mark.parametrize("encoder", ["tiny_encoder", "tiny_deberta"])
@pytest.mark.parametrize("pipe", ["tagger", "sener"])
def test_lora_trains_through_a_listener(
    encoder: str, pipe: str, request: pytest.FixtureRequest
) -> None:
    nlp = initialized(request.getfixturevalue(encoder), pipe)
    before = weights(nlp)
    losses = train(nlp, 60)
    assert losses[-1][pipe] < 0.1 * losses[0][pipe]
    assert_learned(nlp)
    changed = {k for k, v in weights(nlp).items() if not torch.equal(v, before[k])}
    adapted = {k for k in before if "lora_" in k}
    assert adapted
    assert adapted <= changed
    assert all("lora_" in k or k.endswith("bias") for k in changed)


def test_whole_encoder_trains_without_lora(tiny_encoder: Path) -> None:
    nlp = initialized(tiny_encoder, "tagger", encoder={"lora": None})
    before = weights(nlp)
    losses = train(nlp, 20, rate=0.01)
    assert losses[-1]["tagger"] < 0.5 * losses[0]["tagger"]
    after = weights(nlp)
    matrices = [k for k, v in before.items() if v.ndim > 1 and "token_type" not in k]
    assert all(not torch.equal(before[k], after[k]) for k in matrices)


def test_encoder_has_a_rate_of_its_own(tiny_encoder: Path) -> None:
    nlp = initialized(tiny_encoder, "tagger")
    before = weights(nlp)
    optimizer = build_adamw_v1(
        head_learn_rate=0.01, encoder_learn_rate=0.0, warmup_steps=0, total_steps=0
    )
    for _ in range(2):  # no gradient comes from a tagger at first, whose weights are zero
        nlp.update(examples(nlp), sgd=optimizer)
    assert all(torch.equal(v, before[k]) for k, v in weights(nlp).items())


def test_two_listeners_share_one_encoder(trained: Language) -> None:
    assert trained.get_pipe("transformer").listening_components == ["tagger", "sener"]
    assert_learned(trained)


def test_pipe_answers_as_single_calls_do(trained: Language) -> None:
    texts = [text for text, _, _ in DATA] + ["", " \n ", LONG_TEXT]
    for doc, text in zip(trained.pipe(texts, batch_size=5), texts, strict=True):
        alone = trained(text)
        assert [token.tag_ for token in doc] == [token.tag_ for token in alone]
        assert found_spans(doc) == found_spans(alone)


def test_saved_pipeline_is_complete(tiny_encoder: Path, tmp_path: Path) -> None:
    source = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    nlp = initialized(source, "tagger", "sener")
    train(nlp, 30)
    nlp.to_disk(tmp_path / "pipeline")
    expected = [(token.tag_, token.text) for token in nlp(LONG_TEXT)]
    spans = found_spans(nlp(LONG_TEXT))
    shutil.rmtree(source)
    assert str(source).encode() not in (tmp_path / "pipeline/transformer/model").read_bytes()
    script = (
        "import spacy, sys\n"
        "doc = spacy.load(sys.argv[1])(sys.argv[2])\n"
        "print([(token.tag_, token.text) for token in doc])\n"
        "print(sorted((s.start, s.end - 1, s.label_) for s in doc.spans['sc']))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "pipeline"), LONG_TEXT],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    assert answer.stdout.splitlines() == [str(expected), str(spans)]


def test_bytes_round_trip_keeps_vectors(trained: Language) -> None:
    copy = English.from_config(trained.config).from_bytes(trained.to_bytes())
    for mine, theirs in zip(
        token_vectors(trained(LONG_TEXT)), token_vectors(copy(LONG_TEXT)), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_save_encoder_false_needs_its_source(tiny_encoder: Path, tmp_path: Path) -> None:
    source = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    nlp = initialized(source, "tagger", save_encoder=False)
    train(nlp, 5)
    nlp.to_disk(tmp_path / "pipeline")
    expected = token_vectors(nlp("Anna Keller"))
    loaded = spacy.load(tmp_path / "pipeline")
    np.testing.assert_array_equal(token_vectors(loaded("Anna Keller"))[0], expected[0])
    small = (tmp_path / "pipeline/transformer/model").stat().st_size
    assert small < 0.6 * (source / "model.safetensors").stat().st_size
    shutil.rmtree(source)
    with pytest.raises(ValueError, match="no such folder"):
        spacy.load(tmp_path / "pipeline")


@pytest.mark.parametrize("max_pieces", [16, 64, 2048])
def test_each_token_has_its_own_pieces_once(
    untrained: Language, tiny_encoder: Path, max_pieces: int
) -> None:
    nlp = initialized(tiny_encoder, max_pieces=max_pieces)
    doc = nlp(LONG_TEXT)
    data = doc._.trf_data
    (strings,) = data.wordpieces.strings
    pieces = data.align.dataXd.ravel().tolist()
    assert pieces == list(range(len(strings)))
    assert data.model_output.last_hidden_state.shape == (1, len(strings), 32)
    for i, token in enumerate(doc):
        own = [strings[j] for j in data.align[i].dataXd.ravel()]
        text = "" if token.is_space else token.lower_
        assert "".join(piece.removeprefix("##") for piece in own) == text


def test_window_with_most_context_answers(untrained: Language, tiny_encoder: Path) -> None:
    module = transformer_module(untrained).eval()
    tokenizer = PieceTokenizer.from_pretrained(str(tiny_encoder))
    doc = untrained(LONG_TEXT)
    windows = make_windows([doc], tokenizer, max_pieces=64, span_window=0, overlap=16)
    assert len(windows) > 3
    n_alternatives = 0
    for i, vectors in enumerate(token_vectors(doc)):
        answers = {}
        for window in windows:
            for row in np.flatnonzero(window.tokens == i):
                at_start, at_end = window is windows[0], window is windows[-1]
                before = np.inf if at_start else row
                after = np.inf if at_end else len(window.tokens) - 1 - row
                ids = torch.from_numpy(window.piece_ids)[None]
                with torch.no_grad():
                    output = module(ids, torch.tensor([window.size]))[0].numpy()
                answers[min(before, after)] = output[window.piece_rows == row + 1]
        if not doc[i].is_space:
            n_alternatives += len(answers) > 1
            np.testing.assert_allclose(vectors, answers[max(answers)], atol=1e-5)
    assert n_alternatives > 20


def test_vectors_do_not_depend_on_the_batch(untrained: Language) -> None:
    texts = [text for text, _, _ in DATA] + [LONG_TEXT]
    transformer = untrained.get_pipe("transformer")
    docs = [untrained.make_doc(text) for text in texts]
    transformer.set_annotations(docs, transformer.predict(docs))
    for doc in docs:
        alone = untrained(doc.text)
        for mine, theirs in zip(token_vectors(doc), token_vectors(alone), strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_a_batch_has_the_pieces_of_its_documents_end_to_end(
    untrained: Language, tiny_encoder: Path
) -> None:
    tokenizer = PieceTokenizer.from_pretrained(str(tiny_encoder))
    docs = [untrained.make_doc(text) for text in (LONG_TEXT, DATA[0][0])]
    batch = untrained.get_pipe("transformer").predict(docs)
    first, second = (data.align.dataXd.ravel() for data in batch.doc_data)
    expected = [*first, *(second + len(first))]
    assert batch.align.dataXd.ravel().tolist() == expected == list(range(len(expected)))
    for pieces in (batch.wordpieces, *(data.wordpieces for data in batch.doc_data)):
        assert tokenizer.strings(pieces.input_ids[0]) == pieces.strings[0]


def test_one_group_of_windows_at_a_time(untrained: Language) -> None:
    sizes = []
    hook = transformer_module(untrained).register_forward_pre_hook(
        lambda module, args: sizes.append(args[0].numel())
    )
    transformer = untrained.get_pipe("transformer")
    transformer.predict([untrained.make_doc(LONG_TEXT) for _ in range(3)])
    hook.remove()
    assert len(sizes) > 3
    assert max(sizes) <= 64


@pytest.mark.parametrize("texts", [[DATA[0][0]], [LONG_TEXT, "", " \n ", DATA[1][0]]])
def test_gradient_is_that_of_finite_differences(tiny_encoder: Path, texts: list[str]) -> None:
    """Where all is kept for the gradient, and where it is computed again, with odd documents."""
    nlp = initialized(tiny_encoder)
    model = nlp.get_pipe("transformer").model
    module = transformer_module(nlp).double()
    docs = [nlp.make_doc(text) for text in texts]
    generator = torch.Generator().manual_seed(0)
    adapted = {k: p for k, p in module.named_parameters() if p.requires_grad}
    with torch.no_grad():
        for p in adapted.values():  # LoRA's B is zero at first, which leaves A without gradient
            p.add_(0.1 * torch.randn(p.shape, generator=generator, dtype=p.dtype))
    batch, backprop = model.begin_update(docs)
    full = [data for data in batch.doc_data if "last_hidden_state" in data.model_output]
    rng = np.random.default_rng(0)
    # The factor of a piece that no token is aligned with must not matter: it is not zero here.
    factors = [
        rng.normal(size=data.model_output.last_hidden_state.shape).astype("f") for data in full
    ]
    backprop(batch.unsplit_by_doc([[factor] for factor in factors]))

    def loss() -> float:
        outputs = [d for d in model.predict(docs).doc_data if "last_hidden_state" in d.model_output]
        return sum(
            float((d.model_output.last_hidden_state.astype("d") * factor).sum())
            for d, factor in zip(outputs, factors, strict=True)
        )

    # Along the signs of the gradient, so that nothing in it can cancel out.
    direction = {
        k: torch.rand(p.shape, generator=generator, dtype=p.dtype) * p.grad.sign()
        for k, p in adapted.items()
    }
    expected = sum(float((direction[k] * p.grad).sum()) for k, p in adapted.items())
    losses = []
    for step in (1e-3, -1e-3):
        with torch.no_grad():
            for k, p in adapted.items():
                p.add_(step * direction[k])
            losses.append(loss())
            for k, p in adapted.items():
                p.sub_(step * direction[k])
    numeric = (losses[0] - losses[1]) / 2e-3
    assert numeric == pytest.approx(expected, rel=1e-2)


def test_documents_without_text_train_and_predict(trained: Language) -> None:
    odd = ["", " ", "\n\n"]
    for doc in [*trained.pipe(odd), *(trained(text) for text in odd)]:
        assert len(doc.spans["sc"]) == 0
    docs = [Example(trained.make_doc(text), trained.make_doc(text)) for text in odd]
    nlp = English.from_config(trained.config).from_bytes(trained.to_bytes())
    nlp.resume_training()
    losses = nlp.update([*docs, *examples(nlp)])
    assert np.isfinite(list(losses.values())).all()
    nlp.update(docs)


def test_doc_with_its_data_survives_bytes(untrained: Language) -> None:
    doc = untrained(DATA[0][0])
    (copy,) = DocBin(docs=[doc], store_user_data=True).get_docs(untrained.vocab)
    np.testing.assert_array_equal(
        np.concatenate(token_vectors(copy)), np.concatenate(token_vectors(doc))
    )


def test_initialize_without_examples_gives_pretrained_vectors(
    untrained: Language, tiny_encoder: Path
) -> None:
    other = pipeline(tiny_encoder)
    other.initialize()
    mine, theirs = token_vectors(untrained("Anna Keller")), token_vectors(other("Anna Keller"))
    np.testing.assert_array_equal(np.concatenate(mine), np.concatenate(theirs))
    assert other.get_pipe("transformer").model.get_dim("nO") == 32


def test_frozen_and_annotating_transformer(tiny_encoder: Path) -> None:
    nlp = initialized(tiny_encoder, "tagger")
    before = weights(nlp)
    optimizer = build_adamw_v1(head_learn_rate=0.01, warmup_steps=0, total_steps=0)
    for _ in range(3):
        nlp.update(examples(nlp), sgd=optimizer, exclude=["transformer"], annotates=["transformer"])
    assert all(torch.equal(v, before[k]) for k, v in weights(nlp).items())


def test_mixed_precision_answers_nearly_the_same(untrained: Language, tiny_encoder: Path) -> None:
    nlp = initialized(tiny_encoder, "tagger", mixed_precision=True)
    losses = train(nlp, 10)
    assert losses[-1]["tagger"] < losses[0]["tagger"]
    nlp = initialized(tiny_encoder, mixed_precision=True)
    mine, theirs = token_vectors(nlp(LONG_TEXT)), token_vectors(untrained(LONG_TEXT))
    difference = np.abs(np.concatenate(mine) - np.concatenate(theirs)).max()
    assert 0 < difference < 0.1
    assert np.concatenate(mine).dtype == np.float32


def test_max_pieces_may_change_when_a_pipeline_is_loaded(trained: Language, tmp_path: Path) -> None:
    trained.to_disk(tmp_path)
    nlp = spacy.load(tmp_path, config={"components.transformer.model.max_pieces": 32})
    sizes = []
    transformer_module(nlp).register_forward_pre_hook(
        lambda module, args: sizes.append(args[0].shape[1])
    )
    nlp(LONG_TEXT)
    assert max(sizes) <= 32


def test_settings_are_checked(tmp_path: Path, tiny_encoder: Path) -> None:
    with pytest.raises(ValueError, match="max_pieces = 3"):
        pipeline(tiny_encoder, max_pieces=3)
    nlp = pipeline(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="no such folder"):
        nlp.initialize()
    with pytest.raises(ValueError, match="E109"):
        nlp("Anna")
