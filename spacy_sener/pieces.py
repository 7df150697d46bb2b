"""Words to word pieces, with the Rust tokenizer that a Hugging Face encoder ships."""

import json
import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from functools import cache, lru_cache
from typing import Any

from tokenizers import Encoding, Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast
from transformers.models.auto.tokenization_auto import get_tokenizer_config

PARALLELISM = "TOKENIZERS_PARALLELISM"
_after_fork = ExitStack()


def _before_fork() -> None:
    """Tell tokenizers to use one thread, which each child would else announce in four lines."""
    if PARALLELISM not in os.environ:
        os.environ[PARALLELISM] = "false"
        _after_fork.callback(os.environ.pop, PARALLELISM, None)


@cache
def _mind_forks() -> None:
    """Only programs that have a tokenizer of ours: spaCy imports this for every pipeline."""
    if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
        os.register_at_fork(
            before=_before_fork,
            after_in_parent=_after_fork.close,
            after_in_child=_after_fork.pop_all,  # it stays so there: the threads are the parent's
        )


@dataclass(frozen=True)
class PieceTokenizer:
    """A tokenizer that saves to plain data and needs no transformers class to come back.

    Every word is tokenized on its own, unless told otherwise as if a space stood before it: each
    token of spaCy gets pieces of its own, whatever the encoder's tokenizer would have joined.
    """

    definition: str = field(repr=False)  # the tokenizer as its library writes it: JSON
    cls_id: int
    sep_id: int
    pad_id: int
    mask_id: int
    special_ids: tuple[int, ...]

    @classmethod
    def from_pretrained(cls, source: str, *, spaced: bool = True) -> "PieceTokenizer":
        """Load the tokenizer of an encoder from a folder or a hub name.

        spaced: False to read words as the tokenizer itself reads words that it is given apart, for
        weights that were trained so.
        Raises ValueError if there is none, it is damaged or slow, or lacks a special piece.
        """
        tokenizer = _load(source)
        if not tokenizer.is_fast:
            raise ValueError(
                f"The encoder '{source}' has only a slow tokenizer ({type(tokenizer).__name__}). "
                "Save a fast one (tokenizer.json) beside its weights."
            )
        return cls(
            definition=_definition(tokenizer.backend_tokenizer, spaced),
            cls_id=_special(tokenizer, source, "cls_token_id", "bos_token_id"),
            sep_id=_special(tokenizer, source, "sep_token_id", "eos_token_id"),
            pad_id=_special(tokenizer, source, "pad_token_id"),
            mask_id=_special(tokenizer, source, "mask_token_id"),
            special_ids=tuple(sorted(set(tokenizer.all_special_ids))),
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "PieceTokenizer":
        """Rebuild what `to_dict` wrote."""
        return cls(**{**data, "special_ids": tuple(data["special_ids"])})

    def to_dict(self) -> dict[str, Any]:
        """All of the tokenizer as plain data."""
        return asdict(self)

    def encode(self, texts: Sequence[Sequence[str]]) -> list[Encoding]:
        """Pieces of each text, given as words: `.ids` and `.word_ids`, no special pieces."""
        return _tokenizer(self.definition).encode_batch(
            list(texts), is_pretokenized=True, add_special_tokens=False
        )

    @property
    def n_pieces(self) -> int:
        """How many pieces there are, special ones included."""
        return int(_tokenizer(self.definition).get_vocab_size())

    def with_special(self, *pieces: str) -> "PieceTokenizer":
        """A tokenizer that has these pieces too, each one whole wherever its text is."""
        tokenizer = Tokenizer.from_str(self.definition)
        tokenizer.add_special_tokens(list(pieces))
        added = (tokenizer.token_to_id(piece) for piece in pieces)
        return replace(
            self,
            definition=tokenizer.to_str(),
            special_ids=tuple(sorted({*self.special_ids, *added})),
        )

    def piece_id(self, piece: str) -> int:
        """The number of a piece. Raises ValueError if the tokenizer does not have it."""
        found = _tokenizer(self.definition).token_to_id(piece)
        if found is None:
            raise ValueError(f"The tokenizer has no piece {piece!r}.")
        return int(found)

    def strings(self, ids: Iterable[int]) -> list[str]:
        """The pieces as the tokenizer writes them, such as "##ing"."""
        tokenizer = _tokenizer(self.definition)
        return [tokenizer.id_to_token(int(i)) or "" for i in ids]


@lru_cache(maxsize=8)
def _tokenizer(definition: str) -> Tokenizer:
    _mind_forks()
    return Tokenizer.from_str(definition)


class TokenizersBackend(PreTrainedTokenizerFast):
    """A fast tokenizer of no class of its own, by the name that transformers 5 writes for it.

    That name is all that this is for: transformers 4 does not know it.
    """


def _load(source: str) -> Any:
    try:
        if get_tokenizer_config(source).get("tokenizer_class") == TokenizersBackend.__name__:
            return TokenizersBackend.from_pretrained(source)
        return AutoTokenizer.from_pretrained(source, use_fast=True, trust_remote_code=False)
    except Exception as error:  # the tokenizers library raises plain Exceptions, others ImportError
        reason = " ".join(str(error).split())
        raise ValueError(
            f"The tokenizer of the encoder '{source}' cannot be read. Where the encoder's config "
            "is there must be a fast tokenizer, undamaged: tokenizer.json and "
            f"tokenizer_config.json, as save_pretrained writes them. The cause: {reason}"
        ) from error


def _special(tokenizer: Any, source: str, *names: str) -> int:
    for name in names:
        value = getattr(tokenizer, name)
        if value is not None:
            return int(value)
    raise ValueError(f"The tokenizer of '{source}' defines no {names[0]}, which the encoder needs.")


def _definition(tokenizer: Tokenizer, spaced: bool) -> str:
    """The tokenizer as JSON, and if `spaced`, set to read each word as if a space stood before."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if not spaced:
        return str(tokenizer.to_str())
    definition = json.loads(tokenizer.to_str())
    pre = definition.get("pre_tokenizer") or {}
    for step in [pre, *pre.get("pretokenizers", [])]:
        if step.get("type") == "ByteLevel":
            step["add_prefix_space"] = True
        elif step.get("type") == "Metaspace":
            step["prepend_scheme"] = "always"
    return json.dumps(definition)
