"""The dense peer does what it is compared for."""

import torch

from benchmarks.dense_peer import DensePeer, PlusAttention, dense_loss
from benchmarks.models import N_LABELS, SHAPES, document, gold_spans


def test_a_cell_sees_its_row_and_its_column():
    torch.manual_seed(0)
    table = torch.randn(9, 9, 4, requires_grad=True)
    block = PlusAttention(4, dropout=0.0)
    for conv in (block.conv1, block.conv2):  # the convolution sees neighbours, too
        torch.nn.init.zeros_(conv.weight)
    block(table)[2, 6].pow(3).sum().backward()
    seen = table.grad.abs().sum(-1) > 0
    expected = torch.zeros(9, 9, dtype=torch.bool)
    expected[2], expected[:, 6] = True, True
    assert (seen == expected).all()


def test_it_scores_all_pairs_and_learns():
    model = DensePeer(SHAPES["tiny"])
    input_ids, _, _ = document(12)
    logits = model(input_ids)
    assert logits.shape == (10, 10, N_LABELS)
    dense_loss(logits, gold_spans(10, span_window=4)).backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    assert model.eval().found(input_ids).shape == (0, 3)  # rare spans are what it starts from
