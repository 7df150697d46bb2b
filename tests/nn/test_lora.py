"""LoRA on encoders: what is trained, and what comes out."""

import pytest
import torch
from stock_encoders import NAMES, random_pieces, randomize, stock_encoder, tiny_config

from spacy_sener.nn.encoder import ArrowEncoder, EncoderSettings
from spacy_sener.nn.lora import LoRA, merged

TARGETS = {"modernbert": ["attn.Wqkv"]} | {
    name: ["attention.self.query_proj", "attention.self.value_proj"]
    if name.startswith("deberta")
    else ["attention.self.query", "attention.self.value"]
    for name in NAMES
    if name != "modernbert"
}


@pytest.mark.parametrize("name", NAMES)
def test_only_the_adapters_and_their_biases_are_trained(name):
    encoder = ArrowEncoder(tiny_config(name), EncoderSettings(lora=LoRA(rank=2)))
    trained = {n for n, p in encoder.named_parameters() if p.requires_grad}
    layers = "model.layers" if name == "modernbert" else "model.encoder.layer"
    parts = ["lora_A.default.weight", "lora_B.default.weight"]
    if name != "modernbert":  # its projections have no bias
        parts.append("base_layer.bias")
    assert trained == {
        f"{layers}.{i}.{target}.{part}"
        for i in range(3)
        for target in TARGETS[name]
        for part in parts
    }


@pytest.mark.parametrize("name", NAMES)
def test_without_lora_everything_is_trained(name):
    encoder = ArrowEncoder(tiny_config(name), EncoderSettings(lora=None))
    assert all(p.requires_grad for p in encoder.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_lora_starts_at_the_pretrained_encoder(name, tmp_path):
    stock = stock_encoder(tiny_config(name))
    stock.save_pretrained(tmp_path)
    plain = ArrowEncoder.from_pretrained(tmp_path, EncoderSettings(lora=None))
    adapted = ArrowEncoder.from_pretrained(tmp_path, EncoderSettings())
    pieces = random_pieces([40, 9], pad=stock.config.pad_token_id)
    with torch.inference_mode():
        assert torch.equal(plain(*pieces), adapted(*pieces))


@pytest.mark.parametrize("name", ["bert", "deberta-v3", "modernbert"])
def test_lora_adds_the_product_scaled_by_alpha_over_rank(name):
    config = tiny_config(name)
    settings = EncoderSettings(lora=LoRA(rank=2, alpha=6), piece_window=3)
    adapted = ArrowEncoder(config, settings).eval()
    randomize(adapted, seed=5)
    merged = ArrowEncoder(config, EncoderSettings(lora=None, piece_window=3)).eval()
    merged.load_state_dict(merged_weights(adapted.state_dict(), scale=3.0), strict=True)
    pieces = random_pieces([40, 9], pad=config.pad_token_id)
    with torch.inference_mode():
        torch.testing.assert_close(adapted(*pieces), merged(*pieces), atol=1e-5, rtol=1e-5)


def merged_weights(state: dict[str, torch.Tensor], *, scale: float) -> dict[str, torch.Tensor]:
    """W + scale * B A in place of W, A and B."""
    merged = {}
    for name, weight in state.items():
        if name.endswith("base_layer.weight"):
            start = name.removesuffix("base_layer.weight")
            a, b = (state[f"{start}lora_{x}.default.weight"] for x in "AB")
            merged[f"{start}weight"] = weight + scale * b @ a
        elif "lora_" not in name:
            merged[name.replace(".base_layer", "")] = weight
    return merged


def test_merging_leaves_the_module_as_it_was():
    config = tiny_config("deberta-v3")
    encoder = ArrowEncoder(config, EncoderSettings(lora=LoRA(rank=2))).eval()
    randomize(encoder, seed=5)
    pieces = random_pieces([40, 9], pad=config.pad_token_id)
    before = {name: p.clone() for name, p in encoder.named_parameters()}
    twin = merged(encoder.model.encoder.layer[0], torch.bfloat16)
    linear = [m for m in twin.modules() if isinstance(m, torch.nn.Linear)]
    assert len(linear) == 6
    assert {m.weight.dtype for m in linear} == {torch.bfloat16}
    with torch.inference_mode():
        encoder(*pieces)
    after = dict(encoder.named_parameters())
    assert after.keys() == before.keys()
    for name, p in after.items():
        assert torch.equal(p, before[name])
        assert p.requires_grad == before[name].requires_grad


def test_what_was_learned_since_the_last_forward_counts():
    config = tiny_config("deberta-v3")
    encoder = ArrowEncoder(config, EncoderSettings(lora=LoRA(rank=2))).eval()
    randomize(encoder, seed=5)
    pieces = random_pieces([40, 9], pad=config.pad_token_id)
    with torch.inference_mode():
        before = encoder(*pieces)
    encoder(*pieces).square().sum().backward()
    trained = [p for p in encoder.parameters() if p.requires_grad]
    torch.optim.SGD(trained, lr=1e-3).step()
    with torch.inference_mode():
        after = encoder(*pieces)
    assert not after.allclose(before)
    torch.testing.assert_close(after, encoder(*pieces).detach(), atol=1e-5, rtol=1e-5)


def test_a_rank_below_one_is_named():
    with pytest.raises(ValueError, match="'rank' must be at least 1, got 0"):
        LoRA(rank=0)


@pytest.mark.parametrize("alpha", [0, -16])
def test_an_alpha_that_trains_no_adapter_is_named(alpha):
    with pytest.raises(ValueError, match=f"'alpha' must be above 0, got {alpha}"):
        LoRA(alpha=alpha)


def test_merging_minds_what_peft_was_told():
    """Adapters that are merged already are not added again, nor are those that are disabled."""
    encoder = ArrowEncoder(tiny_config("bert"), EncoderSettings(lora=LoRA(rank=2))).eval()
    randomize(encoder, seed=5)
    query = encoder.model.encoder.layer[0].attention.self.query
    weight = query.base_layer.weight
    for change in (query.merge, query.unmerge, lambda: query.enable_adapters(False)):
        change()
        x = torch.randn(2, weight.shape[1])
        torch.testing.assert_close(merged(query, torch.float32)(x), query(x))
