"""F against cost: how wide a table, how deep, and how far the pieces see.

    python -m benchmarks.presets TRAIN.spacy DEV.spacy --updates 600

trains one pipeline for each of `SETTINGS`, which change one thing at a time, with the same seed and
the same number of updates of one document, each in a process of its own on one thread, and scores
it on DEV. The corpora are spaCy's, with spans in `doc.spans["sc"]`. F is given at a threshold of
0.5 and at the best one, which is looked for on DEV itself: so few updates leave probabilities low.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tqdm import tqdm

BASE = {"span_window": 128, "depth": 1, "piece_window": 128, "span_size": 16}
SETTINGS = [
    BASE,
    {**BASE, "depth": 0},
    {**BASE, "depth": 2},
    {**BASE, "span_window": 64},
    {**BASE, "span_window": 256},
    {**BASE, "piece_window": 64},
    {**BASE, "piece_window": 256},
    {**BASE, "span_window": 32},
    {**BASE, "piece_window": 32},
]
THRESHOLDS = [step / 20 for step in range(1, 20)]
LENGTHS = {"1-4": (1, 4), "5-16": (5, 16), "17-64": (17, 64), "65+": (65, 10**9)}
WARMUP = 50

Spans = set[tuple[int, int, int, str]]
"""Document, first token, end, label."""


def pipeline(setting: dict[str, int]) -> Any:
    """A new pipeline with that table and encoder. MiniLM is trained as a whole."""
    import spacy
    from thinc.api import Config

    table = {key: value for key, value in setting.items() if key != "piece_window"}
    model = {
        "@architectures": "spacy-sener.SeNER.v1",
        **table,
        "token_dropout": 0.2,
        "span_dropout": 0.1,
        "encoder": {
            "@architectures": "spacy-sener.ArrowEncoder.v1",
            "piece_window": setting["piece_window"],
            "lora": None,
        },
    }
    settings = {
        "nlp": {"lang": "en", "pipeline": ["sener"]},
        "components": {"sener": {"factory": "sener", "model": model}},
    }
    return spacy.util.load_model_from_config(Config(settings), auto_fill=True)


def run_one(setting: dict[str, int], train: Path, dev: Path, updates: int) -> dict[str, Any]:
    """Train and score one setting in this process; times are of its processor."""
    from spacy.training import Corpus

    from spacy_sener.optimizers import build_adamw_v1

    nlp = pipeline(setting)
    examples = list(Corpus(train)(nlp))
    nlp.initialize(lambda: examples)
    optimizer = build_adamw_v1(
        head_learn_rate=0.004, encoder_learn_rate=0.0004, warmup_steps=WARMUP, total_steps=updates
    )
    order = random.Random(1)
    queue: list[Any] = []
    start = time.process_time()
    for _ in range(updates):
        if not queue:
            queue = order.sample(examples, len(examples))
        nlp.update([queue.pop()], sgd=optimizer)
        optimizer.step_schedules()
    seconds = (time.process_time() - start) / updates
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    gold = list(Corpus(dev)(nlp))
    return {**setting, "update_s": seconds, "train_bytes": peak, **score(nlp, gold)}


def score(nlp: Any, gold: list[Any]) -> dict[str, Any]:
    """Speed on the documents, F at 0.5 and at the best threshold, and there F by length."""
    sener = nlp.get_pipe("sener")
    sener.cfg["threshold"] = THRESHOLDS[0]
    start = time.process_time()
    docs = list(nlp.pipe([example.reference.text for example in gold], batch_size=8))
    seconds = time.process_time() - start
    # Spans are kept by score, the best first: those over a higher threshold are a part of these.
    scored = [
        (float(value), (i, span.start_char, span.end_char, span.label_, len(span)))
        for i, doc in enumerate(docs)
        for span, value in zip(doc.spans["sc"], doc.spans["sc"].attrs["scores"], strict=True)
    ]
    expected = {
        (i, span.start_char, span.end_char, span.label_, len(span))
        for i, example in enumerate(gold)
        for span in example.reference.spans["sc"]
    }
    by_threshold = {t: {span for value, span in scored if value >= t} for t in THRESHOLDS}
    best = max(THRESHOLDS, key=lambda t: f_score(by_threshold[t], expected))
    lengths = {
        name: f_score(
            [span for span in by_threshold[best] if low <= span[-1] <= high],
            [span for span in expected if low <= span[-1] <= high],
        )
        for name, (low, high) in LENGTHS.items()
    }
    return {
        "tokens_per_s": sum(map(len, docs)) / seconds,
        "f": f_score(by_threshold[0.5], expected),
        "best_threshold": best,
        "best_f": f_score(by_threshold[best], expected),
        "f_by_length": lengths,
    }


def f_score(found: Iterable[Any], expected: Iterable[Any]) -> float:
    """Micro F in per cent, of exact spans with their labels."""
    found, expected = set(found), set(expected)
    return 200 * len(found & expected) / max(1, len(found) + len(expected))


def in_a_process(setting: dict[str, int], arguments: argparse.Namespace) -> dict[str, Any]:
    """`run_one` in a new process with one thread."""
    command = [sys.executable, "-m", "benchmarks.presets", str(arguments.train), str(arguments.dev)]
    command += ["--updates", str(arguments.updates), "--one", json.dumps(setting)]
    threads = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    environment = {**os.environ, **threads}
    output = subprocess.run(  # noqa: S603 (this program itself)
        command, env=environment, check=True, stdout=subprocess.PIPE
    ).stdout
    return json.loads(output.splitlines()[-1])


def table(results: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| span window | depth | piece window | F at 0.5 | F at best | "
        + " | ".join(f"F, {name} tokens" for name in LENGTHS)
        + " | tokens/s | s/update | training GB |",
        "|" + "---|" * (8 + len(LENGTHS)),
    ]
    for r in results:
        lengths = " | ".join(f"{value:.1f}" for value in r["f_by_length"].values())
        lines.append(
            f"| {r['span_window']} | {r['depth']} | {r['piece_window']} | {r['f']:.1f} | "
            f"{r['best_f']:.1f} ({r['best_threshold']:.2f}) | {lengths} | "
            f"{r['tokens_per_s']:.0f} | {r['update_s']:.2f} | {r['train_bytes'] / 1e9:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("train", type=Path)
    parser.add_argument("dev", type=Path)
    parser.add_argument("--updates", type=int, default=600)
    parser.add_argument("--at-once", type=int, default=2, help="settings that train side by side")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--one", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one is not None:
        result = run_one(arguments.one, arguments.train, arguments.dev, arguments.updates)
        print(json.dumps(result))
        return
    results: list[dict[str, Any]] = []
    path = arguments.output / "presets.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(arguments.at_once) as pool:
        runs = pool.map(lambda setting: in_a_process(setting, arguments), SETTINGS)
        for result in tqdm(runs, total=len(SETTINGS), unit="setting"):
            results.append(result)
            about = {"updates": arguments.updates, "results": results}
            path.write_text(json.dumps(about, indent=1) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
