"""What label prompts are worth on labels that were never learned, before and after self-training.

    python -m benchmarks.accuracy.zero_shot DATA --train litbank scirex --test scholar-xl

The component gliner_multitask, and gliner's model with its own trainer, learn from the same
segments of some corpora, each asked for the labels of its corpus; then both are asked for those of
another corpus. Beside it stands how well the learned labels are found in other documents of those
corpora: those that the threshold was chosen on, so that it is a little high. Ours is scored again
after it has learned from what it found in texts of that corpus, whose annotations it is not shown.
Thresholds: the default, and the one that is best on documents held out of training.
"""

import argparse
import random
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import srsly
from spacy.tokens import Doc
from tqdm import tqdm

from benchmarks.accuracy.corpora import KEY, copied, corpus_settings, read_corpus
from benchmarks.accuracy.gliner import GLiNERMethod, in_words
from benchmarks.accuracy.methods import Method, SpacyMethod
from benchmarks.accuracy.processes import RESULTS
from benchmarks.accuracy.run import DEFAULT_THRESHOLD, chosen_threshold, metered, score
from spacy_sener.corpora.segments import cut
from spacy_sener.evaluation.markdown import table
from spacy_sener.self_training import Settings, annotate, train

METHODS: dict[str, Callable[[], Method]] = {
    "gliner_multitask": lambda: SpacyMethod(config="configs/gliner_multitask.cfg"),
    "gliner": GLiNERMethod,
}
READINGS = Path(__file__).parent / "labels.yml"
"""What is read for a label, where that is not its name."""


def main() -> None:
    arguments = parser().parse_args()
    result: dict[str, Any] = {
        key: value for key, value in vars(arguments).items() if key not in ("data", "output")
    }
    result["gliner"] = version("gliner")
    result["rows"] = rows = []
    for seed in arguments.seeds:
        learned, held_out, dev, raw = documents(arguments, seed)
        result["data"] = {
            "segments": len(learned),
            "held_out": len(held_out),
            "test": len(dev),
            "test_spans": sum(len(doc.spans[KEY]) for doc in dev),
            "raw_texts": len(raw),
        }
        for name, make in METHODS.items():
            method = make()
            with metered("training", learned) as training:
                method.train(learned, updates=arguments.updates, seed=seed)
            about = {"method": name, "seed": seed, "train_seconds": training.seconds}
            rows.append({**about, "stage": "zero-shot", **figures(method, held_out, dev)})
            if isinstance(method, SpacyMethod):
                about |= self_trained(method, raw, rows[-1]["threshold"], arguments.steps, seed)
                rows.append({**about, "stage": "self-trained", **figures(method, held_out, dev)})
            write(result, arguments.output)
    print(page(result))


def parser() -> argparse.ArgumentParser:
    """The options."""
    names = list(corpus_settings())
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy.zero_shot",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("data", type=Path, metavar="DATA", help="folder of the corpora")
    options.add_argument("--train", nargs="+", choices=names, default=["litbank", "scirex"])
    options.add_argument("--test", choices=names, default="scholar-xl")
    options.add_argument("--longest", type=int, default=100, help="tokens of a segment to train on")
    options.add_argument("--updates", type=int, default=2000, help="of one segment each")
    options.add_argument("--steps", type=int, default=50, help="of self-training, a text each")
    options.add_argument("--seeds", nargs="+", type=int, default=[1])
    options.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    return options


def documents(
    arguments: argparse.Namespace, seed: int
) -> tuple[list[Doc], list[Doc], list[Doc], list[Doc]]:
    """To learn from, in turn from each corpus as often as from another; held out; test; raw."""
    settings = corpus_settings()
    learned: list[Doc] = []
    held_out: list[Doc] = []
    share = -(-arguments.updates // len(arguments.train))
    for name in arguments.train:
        data = read_corpus(arguments.data / name, settings[name])
        ask([*data.segments, *data.held_out])
        segments = [piece for doc in data.segments for piece in cut(doc, arguments.longest)]
        learned += random.Random(seed).sample(segments, min(share, len(segments)))
        held_out += data.held_out
    test = read_corpus(arguments.data / arguments.test, settings[arguments.test])
    ask([*test.segments, *test.held_out, *test.dev])
    raw = random.Random(seed).sample(test.segments, min(2 * arguments.steps, len(test.segments)))
    return learned, held_out, test.dev, [copied(doc, doc.vocab) for doc in raw]


def ask(docs: Sequence[Doc]) -> None:
    """Ask every document for all labels of its corpus."""
    found = sorted({span.label_ for doc in docs for span in doc.spans[KEY]})
    readings = srsly.read_yaml(READINGS)
    labels = {label: readings.get(label, words) for label, words in in_words(found).items()}
    for doc in docs:
        doc._.gliner_labels = labels


def figures(method: Method, held_out: Sequence[Doc], dev: Sequence[Doc]) -> dict[str, Any]:
    """Micro figures on the test documents, at the default threshold and at the chosen one.

    "learned": those on the documents held out, whose labels were learned, at the chosen one.
    """
    known = list(method.predict(held_out))
    threshold = chosen_threshold(known, held_out)
    learned = score(known, held_out, threshold=threshold, seconds=None)["micro"]
    with metered("prediction", dev) as prediction:
        predicted = list(tqdm(method.predict(dev), total=len(dev), unit="document"))
    at = {
        name: score(predicted, dev, threshold=value, seconds=None)["micro"]
        for name, value in (("default", DEFAULT_THRESHOLD), ("chosen", threshold))
    }
    seconds = prediction.seconds
    return {"threshold": threshold, "predict_seconds": seconds, "learned": learned, **at}


def self_trained(
    method: SpacyMethod, raw: Iterable[Doc], threshold: float, steps: int, seed: int
) -> dict[str, Any]:
    """Let the component learn from what it finds over the threshold. Says how much that was.

    The paper's rates are for 500 steps of 8 texts; these few steps need higher ones.
    """
    name = method.nlp.pipe_names[-1]
    docs = [copied(doc, method.nlp.vocab) for doc in raw]
    try:
        found = annotate(method.nlp, name, docs, threshold=threshold)
    except ValueError as error:  # it found nothing to learn from
        return {"self_training": str(error)}
    settings = Settings(
        steps=steps, batch_size=1, learn_rate=1e-4, encoder_learn_rate=2e-5, seed=seed
    )
    train(method.nlp, name, found.docs, settings)
    return {"self_training": f"{found.labels.total()} spans of {len(found.docs)} texts"}


def write(result: dict[str, Any], output: Path) -> None:
    """The figures as JSON, and the page."""
    output.mkdir(parents=True, exist_ok=True)
    srsly.write_json(output / "zero-shot.json", result)
    (output / "zero-shot.md").write_text(page(result), encoding="utf8")


def page(result: dict[str, Any]) -> str:
    """The figures in Markdown."""
    rows = [
        [
            row["method"],
            row["stage"],
            str(row["seed"]),
            percent(row["default"]),
            f"{row['threshold']:g}",
            percent(row["chosen"]),
            percent(row["learned"]),
            row.get("self_training", ""),
        ]
        for row in result["rows"]
    ]
    header = ["method", "stage", "seed", "P R F at 0.5", "threshold", "P R F there"]
    header += ["of learned labels", "learned from"]
    data = result["data"]
    return (
        f"# Zero-shot: {result['test']} after {', '.join(result['train'])}\n\n"
        f"{result['updates']} updates of one segment, of at most {result['longest']} tokens, of "
        f"{data['segments']}; "
        f"{data['test']} test documents with {data['test_spans']} spans, of labels never learned. "
        f"gliner {result['gliner']}.\n\n"
        f"{table(header, rows)}\n"
    )


def percent(micro: dict[str, float | None]) -> str:
    """Precision, recall and F."""
    return " ".join(f"{100 * (micro[figure] or 0):.1f}" for figure in "prf")


if __name__ == "__main__":
    main()
