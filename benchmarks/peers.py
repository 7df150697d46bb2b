"""Ours against what a spaCy user would pick instead, on raw text, one text at a time.

All heads are untrained and find nothing, so that decoding is free for everybody.
"""

from collections.abc import Sequence
from typing import Any

import torch

from benchmarks import machine, options, pipelines, plots, report, texts
from benchmarks.comparison import find, ratio
from benchmarks.measure import Measurement, Subject, alternate
from benchmarks.report import Table, gigabytes, length, seconds, spread, times
from benchmarks.worker import Pass
from spacy_sener.sources import DEFAULT_SOURCE, resolve_source

LENGTHS = [500, 1000, 2000, 5000]
LONGEST_SPAN = 128
PATIENCE = 25.0
LIMIT = 45.0
"""Seconds, see `Subject`."""
NEVER = -100.0
"""Bias of an output, in logits: no span is found."""
OURS = "ours"
PROGRAMS = {
    OURS: ("sener", {}),
    "spaCy's spancat, sizes 1 to 128": ("spancat", {}),
    "GLiNER, as it is": ("gliner", {"max_words": 384, "max_pieces": 512}),
    "GLiNER, not truncated": ("gliner", {"max_words": 16_384, "max_pieces": 16_384}),
}


def sener(length: int) -> Pass:
    """Ours with its default settings and MiniLM."""
    nlp, text = pipelines.sener(), texts.text(length)
    nlp.get_pipe("sener").cfg["threshold"] = 1.0
    return lambda: {"tokens_seen": len(nlp(text))}


def spancat(length: int) -> Pass:
    """spaCy's span categorizer with its default network, for spans as long as ours."""
    suggester = {
        "@misc": "spacy.ngram_range_suggester.v1",
        "min_size": 1,
        "max_size": LONGEST_SPAN,
    }
    nlp = pipelines.untrained("spancat", {"suggester": suggester, "threshold": 1.0})
    text = texts.text(length)
    return lambda: {"tokens_seen": len(nlp(text))}


def gliner(length: int, *, max_words: int, max_pieces: int) -> Pass:
    """GLiNER's token-level model with an encoder of MiniLM's shape.

    It reads at most `max_words` words and at most `max_pieces` word pieces, its labels included:
    384 and 512 are its own default and what MiniLM has positions for.
    """
    from gliner import GLiNER
    from transformers import AutoConfig

    folder = resolve_source(DEFAULT_SOURCE)
    encoder = AutoConfig.from_pretrained(folder, max_position_embeddings=max_pieces)
    config = {
        "model_name": folder,
        "span_mode": "token_level",
        "hidden_size": encoder.hidden_size,
        "max_len": max_words,
        "encoder_config": encoder.to_dict(),
    }
    model = GLiNER.from_config(config, backbone_from_pretrained=False).eval()
    model.data_processor.transformer_tokenizer.model_max_length = max_pieces
    torch.nn.init.constant_(model.model.scorer.out_mlp[-1].bias, NEVER)
    text, seen = texts.text(length), {}

    def note(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen["tokens_seen"] = int((kwargs["words_mask"] > 0).sum())  # the first piece of each word

    model.model.register_forward_pre_hook(note, with_kwargs=True)

    def annotate() -> dict[str, int]:
        model.predict_entities(text, pipelines.LABELS)
        return seen

    return annotate


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write `results/peers`."""
    args = options.parser(__doc__, lengths=LENGTHS).parse_args(arguments)
    groups = [
        [
            Subject(
                name,
                f"benchmarks.peers:{program}",
                n_tokens,
                settings,
                passes=args.passes,
                patience=PATIENCE,
                limit=LIMIT,
                growth=1,
            )
            for name, (program, settings) in PROGRAMS.items()
        ]
        for n_tokens in args.lengths
    ]
    results = alternate(groups, threads=args.threads)
    report.save(
        "peers",
        machine=machine.describe(args.threads),
        measurements=results,
        tables=[peers_table(results)],
    )
    plots.by_length("peers", results)


def peers_table(results: Sequence[Measurement]) -> Table:
    """A line for every subject and length."""
    header = ["tokens", "subject", "passes", "seconds", "fastest to slowest", "GB over model"]
    header += ["tokens read", "ours is faster"]
    rows = []
    for each in results:
        n_tokens, measured = each.subject.length, bool(each.seconds)
        ours = find(results, OURS, n_tokens)
        row = [length(n_tokens), each.subject.name, str(len(each.seconds)), seconds(each)]
        row += [spread(each), gigabytes(each.over_base) if measured else "-"]
        row.append(f"{each.detail('tokens_seen'):,.0f}" if measured else "-")
        row.append(times(ratio(each.median, ours and ours.median)))
        rows.append(row)
    return Table("One raw text", header, rows)


if __name__ == "__main__":
    main()
