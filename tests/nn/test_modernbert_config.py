"""A ModernBERT is the same by whichever transformers it was saved, and needs no compiler."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from stock_encoders import random_pieces, stock_encoder, tiny_config

from spacy_sener.nn.encoder import ArrowEncoder, EncoderSettings

PLAIN = EncoderSettings(piece_window=40, logn=False, lora=None)
THETAS = {"global_rope_theta": 90000.0, "local_rope_theta": 700.0}
ROPES = {
    kind: {"rope_type": "default", "rope_theta": theta}
    for kind, theta in zip(("full_attention", "sliding_attention"), THETAS.values(), strict=True)
}
KINDS = ["full_attention", "sliding_attention", "full_attention"]
WRITTEN: dict[str, dict[str, Any]] = {  # by which transformers
    "4": {**THETAS, "global_attn_every_n_layers": 2},
    "5": {"rope_parameters": ROPES, "layer_types": KINDS},
}


def save(folder: Path, **written: Any) -> torch.Tensor:
    """Save a stock model, its config as it may have been written. Returns what it answers."""
    stock = stock_encoder(tiny_config("modernbert", **WRITTEN["4"]))
    stock.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    for name in (*WRITTEN["4"], *WRITTEN["5"]):
        config.pop(name, None)
    (folder / "config.json").write_text(json.dumps({**config, **written}))
    with torch.inference_mode():
        return stock(random_pieces([40], pad=0)[0]).last_hidden_state


@pytest.mark.parametrize("by", WRITTEN)
def test_it_is_the_same_by_either_transformers(by: str, tmp_path: Path) -> None:
    expected = save(tmp_path, **WRITTEN[by], reference_compile=True)
    encoder = ArrowEncoder.from_pretrained(str(tmp_path), PLAIN)
    again = ArrowEncoder(encoder.config, PLAIN).eval()
    again.load_state_dict(encoder.state_dict())
    for ours in (encoder, again):
        with torch.inference_mode():
            answer = ours(*random_pieces([40], pad=0))
        torch.testing.assert_close(answer, expected, atol=1e-5, rtol=1e-5)
        assert not ours.model.config.reference_compile, "its embeddings would be compiled"


@pytest.mark.skipif(int(transformers.__version__[0]) > 4, reason="it reads what it wrote")
@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"rope_parameters": {"full_attention": {"rope_type": "yarn"}}}, "rope_type 'yarn'"),
        ({"layer_types": KINDS[1:] + KINDS[:1]}, "not every n-th is global"),
    ],
)
def test_transformers_4_cannot_build_every_one(
    written: dict[str, Any], message: str, tmp_path: Path
) -> None:
    save(tmp_path, **written)
    with pytest.raises(ValueError, match=message):
        ArrowEncoder.from_pretrained(str(tmp_path), PLAIN)
