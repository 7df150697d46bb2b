"""The encoders that the other tests stand on."""

from pathlib import Path

import pytest

from spacy_sener.nn.encoder import ArrowEncoder, EncoderSettings
from spacy_sener.pieces import PieceTokenizer

TEXT = "Her office is near the Institute for Language Research , where students write books"


@pytest.mark.parametrize("name", ["tiny_encoder", "tiny_deberta"])
def test_words_have_few_pieces_and_the_encoder_loads(
    name: str, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(name)
    tokenizer = PieceTokenizer.from_pretrained(str(folder))
    words = TEXT.split()
    encoding = tokenizer.encode([words])[0]
    sizes = [encoding.word_ids.count(i) for i in range(len(words))]
    assert min(sizes) == 1
    assert max(sizes) <= 3
    assert len(set(encoding.ids) & set(tokenizer.special_ids)) == 0
    encoder = ArrowEncoder.from_pretrained(folder, EncoderSettings(), max_pieces=100)
    assert encoder.hidden_size == 32
