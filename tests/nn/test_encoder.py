"""The encoder against Hugging Face's own, in every family, and how it is built."""

import json
import math

import pytest
import stock_encoders
import torch
from dense_encoder import dense_encoder
from largest_tensor import LargestTensor
from stock_encoders import NAMES, random_pieces, stock_encoder, tiny_config
from transformers import AutoConfig

from spacy_sener.nn import block_attention
from spacy_sener.nn.encoder import ArrowEncoder, EncoderSettings
from spacy_sener.nn.lora import LoRA

PLAIN = EncoderSettings(piece_window=40, logn=False, lora=None)


def same_weights(stock, settings, **options) -> ArrowEncoder:
    """Our encoder, in eval mode, with the stock encoder's weights (by their names, strictly)."""
    encoder = ArrowEncoder(stock.config, settings, **options).eval()
    encoder.model.load_state_dict(stock.state_dict(), strict=True)
    return encoder


def real_rows(states, piece_lengths):
    return states * (torch.arange(states.shape[1]) < piece_lengths[:, None])[..., None]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("attention", "window", "n_global"),
    [
        ("arrow", 39, 1),
        ("arrow", 39, 5),
        ("arrow", 20, 20),
        ("arrow", 4, 40),
        ("arrow", 4, 50),
        ("sliding", 39, 1),
        ("full", 39, 1),
        ("full", 39, 5),
    ],
)
def test_wide_window_without_logn_equals_the_stock_encoder(name, attention, window, n_global):
    config = tiny_config(name)
    input_ids, piece_lengths = random_pieces([40, 23, 1], pad=config.pad_token_id)
    mask = (torch.arange(40) < piece_lengths[:, None]).long()
    stock = stock_encoder(config)
    encoder = same_weights(stock, EncoderSettings(attention, window, logn=False, lora=None))
    ours = real_rows(encoder(input_ids, piece_lengths, n_global=n_global), piece_lengths)
    theirs = stock(input_ids=input_ids, attention_mask=mask).last_hidden_state
    theirs = real_rows(theirs, piece_lengths)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)

    weights = torch.randn(theirs.shape, generator=torch.Generator().manual_seed(1))
    for states in (ours, theirs):
        (states * weights).sum().backward()
    gradients = dict(encoder.model.named_parameters())
    for key, parameter in stock.named_parameters():
        if parameter.grad is None:
            assert gradients[key].grad is None, key
            continue
        scale = parameter.grad.abs().max().clamp(min=1)
        error = (gradients[key].grad - parameter.grad).abs().max() / scale
        assert error < 1e-5, key


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("attention", "n_global", "window"),
    [("arrow", n, 7) for n in (1, 2, 5)] + [("arrow", 5, 2), ("sliding", 5, 7), ("full", 5, 2)],
)
def test_equals_the_encoder_with_dense_attention(name, n_global, attention, window):
    """In float64; the third text is shorter than the window, the fourth than the global pieces.

    ModernBERT's own window is 4, which a narrower one takes the place of, but not in "full".
    """
    config = tiny_config(name)
    encoder = ArrowEncoder(config, EncoderSettings(attention, window, lora=None)).eval().double()
    stock_encoders.randomize(encoder, seed=0)
    encoder.double()
    input_ids, piece_lengths = random_pieces([40, 23, 6, 3], pad=config.pad_token_id)
    results = []
    for each in (encoder, dense_encoder(encoder, n_global)):
        states = real_rows(each(input_ids, piece_lengths, n_global=n_global), piece_lengths)
        weights = torch.randn(states.shape, generator=torch.Generator().manual_seed(1))
        (states * weights).sum().backward()
        gradients = {n: p.grad for n, p in each.named_parameters() if p.grad is not None}
        results.append({"states": states, **gradients})
    ours, reference = results
    assert ours.keys() == reference.keys()
    for key, expected in reference.items():
        scale = expected.abs().max().clamp(min=1)
        assert (ours[key] - expected).abs().max() / scale < 1e-6, key


@pytest.mark.parametrize("name", ["bert", "deberta-v2", "deberta-v3", "modernbert"])
@pytest.mark.parametrize("n_global", [1, 20])
def test_no_tensor_grows_with_the_square_of_the_text(name, n_global):
    n_pieces = 1500  # (n, n) floats would be 9 MB
    config = tiny_config(name)
    settings = EncoderSettings(piece_window=8, lora=None)
    encoder = ArrowEncoder(config, settings, max_pieces=n_pieces)
    input_ids, piece_lengths = random_pieces([n_pieces], pad=config.pad_token_id)
    with LargestTensor() as largest:
        encoder(input_ids, piece_lengths, n_global=n_global).sum().backward()
    assert largest.n_bytes < 2_000_000


def test_a_number_of_global_pieces_out_of_range_is_named():
    encoder = ArrowEncoder(tiny_config("bert"), PLAIN)
    with pytest.raises(ValueError, match=r"'n_global' must be at least 1.*got 0"):
        encoder(*random_pieces([9], pad=0), n_global=0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("attention", "n_global"), [("arrow", 1), ("arrow", 5), ("sliding", 1), ("full", 5)]
)
def test_a_document_alone_and_in_a_batch(name, attention, n_global):
    config = tiny_config(name)
    encoder = same_weights(stock_encoder(config), EncoderSettings(attention, 3, lora=None))
    input_ids, piece_lengths = random_pieces([40, 17, 5], pad=config.pad_token_id)
    with torch.inference_mode():
        together = encoder(input_ids, piece_lengths, n_global=n_global)
        assert together.isfinite().all()
        for b, n in enumerate(piece_lengths.tolist()):
            only = input_ids[b : b + 1, :n], piece_lengths[b : b + 1]
            alone = encoder(*only, n_global=n_global)
            torch.testing.assert_close(together[b, :n], alone[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n_global", [1, 5])
def test_pieces_outside_the_window_reach_others_only_through_global_ones(name, n_global):
    # one layer, which is a global one in ModernBERT; DeBERTa-v2's conv would let neighbours through
    conv = {"conv_kernel_size": 0} if name == "deberta-v2" else {}
    config = tiny_config(name, num_hidden_layers=1, **conv)
    encoder = same_weights(stock_encoder(config), EncoderSettings(piece_window=2, lora=None))
    input_ids, piece_lengths = random_pieces([40], pad=config.pad_token_id)

    def moved(piece):
        """The pieces that see this one."""
        changed = input_ids.clone()
        changed[0, piece] = 4 + (changed[0, piece] - 3) % 46
        with torch.inference_mode():
            states = (
                encoder(ids, piece_lengths, n_global=n_global) for ids in (input_ids, changed)
            )
            first, second = states
        return ((first - second).abs().amax(-1)[0] > 1e-6).nonzero().flatten().tolist()

    assert moved(20) == [*range(n_global), 18, 19, 20, 21, 22]
    assert moved(n_global - 1) == list(range(40))


@pytest.mark.parametrize("name", NAMES)
def test_training_draws_dropout_and_gives_every_trained_weight_a_gradient(name):
    config = tiny_config(name)
    encoder = ArrowEncoder(config, EncoderSettings(piece_window=3, dropout=0.2))
    stock_encoders.randomize(encoder, seed=0)
    input_ids, piece_lengths = random_pieces([40, 17], pad=config.pad_token_id)
    first, second = (encoder.train()(input_ids, piece_lengths) for _ in range(2))
    assert not first.allclose(second)
    real_rows(first, piece_lengths).square().sum().backward()
    trained = {n: p for n, p in encoder.named_parameters() if p.requires_grad}
    assert trained
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in trained.values())
    assert encoder.eval()(input_ids, piece_lengths).allclose(encoder(input_ids, piece_lengths))


@pytest.mark.parametrize("name", NAMES)
def test_training_drops_attention_of_every_piece(name):
    """One layer, in which nothing else is dropped."""
    rates = dict.fromkeys(("attention_probs_dropout_prob", "attention_dropout"), 0.5)
    others = dict.fromkeys(("hidden_dropout_prob", "embedding_dropout", "mlp_dropout"), 0.0)
    config = tiny_config(name, num_hidden_layers=1, **rates, **others)
    encoder = ArrowEncoder(config, EncoderSettings(piece_window=3, lora=None)).train()
    stock_encoders.randomize(encoder, seed=0)
    if name == "modernbert":  # drops its attention's result, too, at the same rate
        encoder.model.layers[0].attn.out_drop.p = 0.0
    pieces = random_pieces([40], pad=config.pad_token_id)
    torch.manual_seed(0)
    first, second = encoder(*pieces), encoder(*pieces)
    assert (first != second).any(-1).all()


@pytest.mark.parametrize("name", ["bert", "deberta-v3", "modernbert"])
def test_autocast_to_bfloat16(name):
    config = tiny_config(name)
    encoder = same_weights(stock_encoder(config), EncoderSettings(piece_window=3, lora=None))
    input_ids, piece_lengths = random_pieces([40, 17], pad=config.pad_token_id)
    exact = encoder(input_ids, piece_lengths)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = encoder(input_ids, piece_lengths)
    rough.float().sum().backward()
    error = real_rows(rough.float() - exact, piece_lengths).abs()
    assert error.mean() < 0.05


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("attention", "n_global"), [("arrow", 1), ("arrow", 17), ("sliding", 1), ("full", 17)]
)
@pytest.mark.parametrize("rows", [1, 7, 34])
def test_inference_by_rows_equals_the_whole(monkeypatch, name, attention, rows, n_global):
    config = tiny_config(name)
    encoder = same_weights(stock_encoder(config), EncoderSettings(attention, 3, lora=None))
    input_ids, piece_lengths = random_pieces([40, 17], pad=config.pad_token_id)
    whole = encoder(input_ids, piece_lengths, n_global=n_global).detach()
    monkeypatch.setattr(block_attention, "CPU_ROWS", rows)
    monkeypatch.setattr(block_attention, "CPU_HEADS", 1)
    with torch.no_grad():
        by_rows = encoder(input_ids, piece_lengths, n_global=n_global)
    torch.testing.assert_close(by_rows, whole, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("lora", "n_global"), [(None, 1), (LoRA(), 1), (None, 5)])
def test_recomputing_changes_nothing_but_what_is_kept(name, lora, n_global):
    config = tiny_config(name)
    settings = EncoderSettings(piece_window=3, dropout=0.2, lora=lora)
    encoder = ArrowEncoder(config, settings).train()
    stock_encoders.randomize(encoder, seed=0)
    input_ids, piece_lengths = random_pieces([40, 17], pad=config.pad_token_id)
    results = []
    for recompute in (False, True):
        torch.manual_seed(0)
        n_kept = 0

        def count(x):
            nonlocal n_kept
            n_kept += x.numel()
            return x

        with torch.autograd.graph.saved_tensors_hooks(count, lambda x: x):
            states = encoder(input_ids, piece_lengths, n_global=n_global, recompute=recompute)
        states.square().sum().backward()
        gradients = [p.grad for p in encoder.parameters() if p.grad is not None]
        results.append((n_kept, [states, *gradients]))
        encoder.zero_grad()
    (n_whole, whole), (n_recomputed, recomputed) = results
    assert n_recomputed < n_whole / 4
    for got, expected in zip(recomputed, whole, strict=True):
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["bert", "deberta-v3", "modernbert"])
def test_bfloat16_is_as_close_as_the_stock_encoder(name):
    config = tiny_config(name)
    stock = stock_encoder(config)
    encoder = same_weights(stock, EncoderSettings(piece_window=3, lora=None))
    full = same_weights(stock, EncoderSettings("full", logn=False, lora=None))
    input_ids, piece_lengths = random_pieces([40], pad=config.pad_token_id)
    weights = torch.randn(1, 40, 16, generator=torch.Generator().manual_seed(1))

    def answer(module, encode):
        """The states, and the gradients of all weights."""
        module.zero_grad()
        states = encode().float()
        (states * weights).sum().backward()
        gradients = [p.grad.flatten() for p in module.parameters() if p.grad is not None]
        return states.detach(), torch.cat(gradients)

    errors = []
    for module, encode in (
        (stock, lambda: stock(input_ids).last_hidden_state),
        (full, lambda: full(input_ids, piece_lengths)),
        (encoder, lambda: encoder(input_ids, piece_lengths)),
    ):
        exact = answer(module, encode)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = answer(module, encode)
        errors.append([(r - e).norm() / e.norm() for r, e in zip(rough, exact, strict=True)])
    for plain, *ours in zip(*errors, strict=True):
        assert max(ours) < 2 * plain


@pytest.mark.parametrize(("multiple", "length"), [(1, 30), (256, 256)])
def test_logn_scales_what_the_first_piece_sees(multiple, length):
    config = tiny_config("bert", num_hidden_layers=1)
    stock = stock_encoder(config)
    input_ids, piece_lengths = random_pieces([30], pad=0)
    plain = same_weights(stock, EncoderSettings(logn=False, lora=None))
    scaled = same_weights(stock, EncoderSettings(logn_multiple=multiple, lora=None))
    factor = math.log(length) / math.log(512)
    attention = plain.model.encoder.layer[0].attention.self
    with torch.inference_mode():
        expected_rest = plain(input_ids, piece_lengths)[:, 1:]
        attention.query.weight.mul_(factor)
        attention.query.bias.mul_(factor)
        expected_first = plain(input_ids, piece_lengths)[:, :1]
        found = scaled(input_ids, piece_lengths)
    torch.testing.assert_close(found, torch.cat([expected_first, expected_rest], 1))


@pytest.mark.parametrize("name", [*NAMES])
@pytest.mark.parametrize("lora", [None, LoRA(rank=2, alpha=4)])
def test_config_and_state_dict_are_enough_to_build_it_again(name, lora):
    settings = EncoderSettings(piece_window=3, lora=lora, dropout=0.05)
    first = ArrowEncoder(tiny_config(name), settings, max_pieces=100).eval()
    stock_encoders.randomize(first, seed=3)
    saved = json.loads(json.dumps(first.config.to_dict()))
    second = ArrowEncoder(AutoConfig.for_model(**saved), settings).eval()
    second.load_state_dict(first.state_dict(), strict=True)
    input_ids, piece_lengths = random_pieces([100, 30], pad=first.config.pad_token_id)
    with torch.inference_mode():
        assert torch.equal(first(input_ids, piece_lengths), second(input_ids, piece_lengths))


@pytest.mark.parametrize("name", ["deberta-v3", "modernbert"])
def test_relative_positions_have_no_end(name):
    config = tiny_config(name)
    encoder = ArrowEncoder(config, EncoderSettings(piece_window=5), max_pieces=1000)
    assert encoder.config.max_position_embeddings == 64
    input_ids, piece_lengths = random_pieces([200], pad=config.pad_token_id)
    assert encoder(input_ids, piece_lengths).isfinite().all()


def test_the_callers_config_is_left_alone():
    config = tiny_config("bert")
    before = config.to_dict()
    ArrowEncoder(config, EncoderSettings(dropout=0.5), max_pieces=200)
    assert config.to_dict() == before


@pytest.mark.parametrize(
    ("setting", "value"),
    [("attention", "arrows"), ("piece_window", 0), ("logn_multiple", 0), ("dropout", 1.0)],
)
def test_settings_out_of_range_are_named(setting, value):
    with pytest.raises(ValueError, match=rf"'{setting}' must be .*{value}"):
        EncoderSettings(**{setting: value})
