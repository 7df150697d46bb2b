"""The token-level GLiNER: pooling, labels, lengths; its numbers are in `test_gliner_golden`."""

import copy

import pytest
import torch
from dense_encoder import dense_encoder
from hypothesis import given, settings
from hypothesis import strategies as st
from stock_encoders import randomize, tiny_config

from spacy_sener.nn.encoder import ArrowEncoder, EncoderSettings
from spacy_sener.nn.gliner import (
    GLiNER,
    GLiNERSettings,
    _read,
    pick_labels,
    pool_words,
    prompt_length,
)
from spacy_sener.nn.mark_loss import MarkLoss, mark_loss

MARKER, END, CLS, SEP = 40, 41, 1, 2
FULL = EncoderSettings(attention="full", logn=False, lora=None)
POOLINGS = ("first", "last", "mean", "max")


def make(name: str = "bert", encoder: EncoderSettings = FULL, **options) -> GLiNER:
    settings = GLiNERSettings(**{"hidden_size": 24, "marker": MARKER, "dropout": 0.0, **options})
    module = GLiNER(ArrowEncoder(tiny_config(name), encoder), settings)
    randomize(module, seed=0)
    return module.eval()


def batch(texts, *, n_labels, pad: int = 0):
    """Texts are lists of words, which are lists of pieces. All pieces of a word are marked."""
    rows, masks = [], []
    for words, count in zip(texts, n_labels, strict=True):
        prompt = [CLS] + [piece for i in range(count) for piece in (MARKER, 10 + i)] + [END]
        rows.append(prompt + [piece for word in words for piece in word] + [SEP])
        of_words = [i + 1 for i, word in enumerate(words) for _ in word]
        masks.append([0] * len(prompt) + of_words + [0])
    n_pieces = max(map(len, rows))
    input_ids = torch.tensor([row + [pad] * (n_pieces - len(row)) for row in rows])
    words_mask = torch.tensor([mask + [0] * (n_pieces - len(mask)) for mask in masks])
    attention_mask = torch.tensor([[1] * len(r) + [0] * (n_pieces - len(r)) for r in rows])
    return input_ids, attention_mask, words_mask, torch.tensor([len(words) for words in texts])


TEXTS = [[[20, 21], [22], [23, 24, 25]], [], [[26]], [[27], [28, 29], [30], [31], [20]]]
N_LABELS = [2, 1, 3, 1]


@pytest.mark.parametrize("name", ["bert", "deberta-v2", "modernbert"])
@pytest.mark.parametrize("n_lstm_layers", [0, 1, 2])
def test_a_text_alone_and_in_a_batch(name, n_lstm_layers):
    module = make(name, n_lstm_layers=n_lstm_layers, pooling="mean").double()
    pad = module.encoder.config.pad_token_id
    with torch.no_grad():
        together = module(*batch(TEXTS, n_labels=N_LABELS, pad=pad))
        assert together.shape == (4, 5, 3, 3)
        assert together.isfinite().all()
        for i, (words, n_labels) in enumerate(zip(TEXTS, N_LABELS, strict=True)):
            alone = module(*batch([words], n_labels=[n_labels]))
            assert alone.shape == (1, len(words), n_labels, 3)
            ours = together[i : i + 1, : len(words), :n_labels]
            torch.testing.assert_close(ours, alone)


def test_only_the_words_asked_for_are_scored():
    inputs = batch(TEXTS, n_labels=N_LABELS)
    scored = torch.tensor([[2, 0], [0, 0], [0, 0], [3, 4]])
    with torch.no_grad():
        some, whole = make()(*inputs, scored), make()(*inputs)
    expected = torch.stack([logits[words] for logits, words in zip(whole, scored, strict=True)])
    torch.testing.assert_close(some, expected)


def arrow(window: int) -> EncoderSettings:
    return EncoderSettings("arrow", window, logn=False, lora=None)


LONG = [[[20 + i % 15] for i in range(30)], [[20, 21, 22], [23]], []]


@pytest.mark.parametrize("name", ["bert", "deberta-v2", "deberta-v3", "modernbert"])
def test_arrow_with_a_wide_window_is_full_attention(name):
    inputs = batch(LONG, n_labels=[3, 3, 3])
    with torch.no_grad():
        full, wide = (make(name, encoder)(*inputs) for encoder in (FULL, arrow(50)))
        torch.testing.assert_close(wide, full, atol=1e-5, rtol=1e-5)
        assert not make(name, arrow(3))(*inputs).allclose(full, atol=1e-3)


@pytest.mark.parametrize("name", ["bert", "deberta-v2", "deberta-v3", "modernbert"])
@pytest.mark.parametrize("task", [[], [[36, 37], [38]]], ids=["labels", "task"])
def test_arrow_equals_dense_attention_in_which_the_prompt_is_global(name, task):
    module = make(name, arrow(3)).double()
    reference = copy.deepcopy(module)
    n_global = 8 + sum(map(len, task))  # [CLS], 3 labels of 2, <<SEP>>, pieces of the task
    reference.encoder = dense_encoder(module.encoder, n_global)
    results = []
    for each in (module, reference):
        texts, pad = [task + words for words in LONG], each.encoder.config.pad_token_id
        inputs = batch(texts, n_labels=[3, 3, 3], pad=pad)
        logits = each(*inputs, task_lengths=torch.full((3,), len(task)))
        real = torch.arange(logits.shape[1]) < inputs[3][:, None]
        logits = logits * real[..., None, None]
        logits.square().sum().backward()
        results.append([logits, *(p.grad for p in each.parameters() if p.grad is not None)])
    for ours, expected in zip(*results, strict=True):
        scale = expected.abs().max().clamp(min=1)
        assert (ours - expected).abs().max() / scale < 1e-6


@pytest.mark.parametrize("name", ["bert", "deberta-v3", "modernbert"])
@pytest.mark.parametrize("n_layers", [1, 3])
def test_labels_and_the_last_word_of_a_long_text_see_each_other(name, n_layers):
    encoder = ArrowEncoder(tiny_config(name, num_hidden_layers=n_layers), arrow(3))
    module = GLiNER(encoder, GLiNERSettings(16, MARKER, n_lstm_layers=0))
    randomize(module, seed=0)
    last, label = 45, 11  # pieces that are nowhere else
    inputs = batch([[*LONG[0], [last]]], n_labels=[2])
    prompted = module.eval().embed(*inputs)
    table = encoder.model.get_input_embeddings().weight
    for vector, piece in ((prompted.labels[0, 0], last), (prompted.words[0, -1], label)):
        (gradient,) = torch.autograd.grad(
            (vector * vector.detach()).sum(), table, retain_graph=True
        )
        assert gradient[piece].abs().max() > 1e-4


def test_a_question_is_answered_far_away_from_it():
    """By one layer without an LSTM, to which otherwise both questions are one to the answers."""
    config = tiny_config("bert", num_hidden_layers=1, hidden_size=32, intermediate_size=64)
    around = GLiNERSettings(32, MARKER, n_lstm_layers=0, label_after_marker=True)
    module = GLiNER(ArrowEncoder(config, arrow(3)), around).eval()  # no dropout
    randomize(module, seed=0)
    text = [*LONG[0], [45], [46]]
    inputs = batch([[[36], *text], [[37], *text]], n_labels=[1, 1])
    gold = torch.tensor([[0, 31, 31, 0], [1, 32, 32, 0]])  # each question has its answer
    one = torch.ones(2, dtype=torch.long)
    far = module.embed(*inputs).words[:, 10:]
    torch.testing.assert_close(far[0], far[1])
    optimizer = torch.optim.Adam(module.parameters(), lr=0.003)
    for _ in range(150):
        logits = module(*inputs, task_lengths=one)
        optimizer.zero_grad()
        mark_loss(logits, inputs[3], one, gold, MarkLoss()).backward()
        optimizer.step()
    found = logits[:, 1:, 0].sigmoid().amin(-1) > 0.5  # in the text
    assert found.nonzero().tolist() == [[0, 30], [1, 31]]


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_text_alone_and_in_a_batch_with_arrow_attention(pooling):
    module = make("bert", arrow(3), pooling=pooling)
    with torch.no_grad():
        together = module(*batch(LONG, n_labels=[2, 2, 2]))
        for i, words in enumerate(LONG):
            alone = module(*batch([words], n_labels=[2]))
            torch.testing.assert_close(together[i : i + 1, : len(words)], alone, atol=1e-5, rtol=0)


def test_prompts_of_different_lengths_in_a_batch_are_named():
    inputs = batch(TEXTS, n_labels=N_LABELS)
    with pytest.raises(ValueError, match=r"'words_mask' has prompts of 4, 6, 8 pieces.*one length"):
        make("bert", arrow(3))(*inputs)
    assert make("bert", FULL)(*inputs).isfinite().all()


@pytest.mark.parametrize("n_words", [0, 1, 4])
def test_the_prompt_ends_before_the_first_word_or_sep(n_words):
    _, attention_mask, words_mask, _ = batch([[[20, 21]] * n_words, []], n_labels=[3, 3])
    assert prompt_length(words_mask > 0, attention_mask.sum(1)) == 8


def test_the_lstm_stays_in_single_precision():
    module = make()
    words, lengths = torch.randn(2, 5, 24), torch.tensor([5, 2])
    expected = _read(module.lstm, words.bfloat16().float(), lengths)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = _read(module.lstm, words.bfloat16(), lengths)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)


def test_text_without_labels_or_words():
    module = make()
    assert module(*batch([[[20]]], n_labels=[0])).shape == (1, 1, 0, 3)
    assert module(*batch([[], []], n_labels=[2, 1])).shape == (2, 0, 2, 3)


def test_there_is_nothing_after_the_last_word_and_label():
    module = make()
    inputs = batch(TEXTS, n_labels=N_LABELS)
    prompted = module.embed(*inputs)
    assert prompted.words.shape[:2] == (4, 5)
    assert prompted.labels.shape[:2] == (4, 3)
    for i, (words, n_labels) in enumerate(zip(TEXTS, N_LABELS, strict=True)):
        assert not prompted.words[i, len(words) :].any()
        assert not prompted.labels[i, n_labels:].any()
    assert torch.equal(module(*inputs), module(*inputs[:3], inputs[3][:, None]))


def test_a_marker_in_the_text_is_a_word_and_no_label():
    module = make()
    logits = module(*batch([[[20], [MARKER], [21]]], n_labels=[2]))
    assert logits.shape == (1, 3, 2, 3)


def test_words_read_on_in_both_directions():
    """Through the LSTM: words of the prompt and of the text see each other in the encoder too."""
    module = make(n_lstm_layers=1)
    seen = module.embed(*batch(TEXTS[3:], n_labels=[1]))
    assert seen.words.shape == (1, 5, 24)
    first, last = (torch.zeros_like(seen.words) for _ in range(2))
    first[0, 0], last[0, 4] = 1, 1
    for change, far in ((first, 4), (last, 0)):
        plain, changed = (module.lstm(x)[0] for x in (seen.words, seen.words + change))
        assert (plain - changed)[0, far].abs().max() > 1e-6


@settings(max_examples=40)
@given(
    texts=st.lists(st.lists(st.integers(0, 3), max_size=5), min_size=1, max_size=3),
    pooling=st.sampled_from(POOLINGS),
    n_prompt=st.integers(0, 3),
)
def test_words_take_the_vectors_of_their_pieces(texts, pooling, n_prompt):
    """Texts are piece counts of words, 0 where a word has none."""
    n_words = max(len(text) for text in texts)
    masks = [[0] * n_prompt + [w + 1 for w, n in enumerate(t) for _ in range(n)] for t in texts]
    n_pieces = max(map(len, masks)) + 1
    words_mask = torch.tensor([mask + [0] * (n_pieces - len(mask)) for mask in masks])
    pieces = torch.randn(len(texts), n_pieces, 4, dtype=torch.float64, requires_grad=True)
    words = pool_words(pieces, words_mask, n_words, pooling)
    expected = torch.zeros_like(words)
    for text, counts in enumerate(texts):
        for word in range(len(counts)):
            own = pieces[text, words_mask[text] == word + 1]
            if len(own):
                expected[text, word] = {
                    "first": own[0],
                    "last": own[-1],
                    "mean": own.mean(0),
                    "max": own.amax(0),
                }[pooling]
    torch.testing.assert_close(words, expected)
    if expected.requires_grad:
        weights = torch.randn_like(words)
        ours, theirs = (
            torch.autograd.grad((each * weights).sum(), pieces)[0] for each in (words, expected)
        )
        torch.testing.assert_close(ours, theirs)


def test_labels_are_in_order_of_the_prompt():
    pieces = torch.arange(12.0).view(2, 6, 1)
    markers = torch.tensor([[0, 1, 0, 1, 0, 1], [0, 0, 1, 0, 0, 0]]).bool()
    assert pick_labels(pieces, markers, after=False)[..., 0].tolist() == [[1, 3, 5], [8, 0, 0]]
    assert pick_labels(pieces, markers, after=True)[..., 0].tolist() == [[2, 4, 5], [9, 0, 0]]


@pytest.mark.parametrize("recompute", [False, True])
def test_every_weight_is_trained(recompute):
    module = make(hidden_size=20, n_lstm_layers=2, dropout=0.1).train()
    inputs = batch(TEXTS, n_labels=N_LABELS)
    logits = module(*inputs, recompute=recompute)
    gold = torch.tensor([[0, 0, 1, 1], [3, 2, 2, 0]])
    mark_loss(logits, inputs[3], torch.tensor(N_LABELS), gold, MarkLoss(alpha=0.75)).backward()
    assert module.projection is not None
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"hidden_size": 0}, "'hidden_size' must be at least 1, got 0"),
        ({"hidden_size": 5}, "'hidden_size' must be even.*got 5"),
        ({"n_lstm_layers": -1}, "'n_lstm_layers' must not be negative, got -1"),
        ({"marker": -1}, "'marker' must be the id of a piece, got -1"),
        ({"pooling": "middle"}, "'pooling' must be one of.*got 'middle'"),
        ({"dropout": 1.0}, r"'dropout' must be in \[0, 1\), got 1.0"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(options, problem):
    with pytest.raises(ValueError, match=problem):
        GLiNERSettings(**{"hidden_size": 8, "marker": 1, **options})
