"""What both components have in common: their key, and what they do where something goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc, SpanGroup
from spacy.util import minibatch

from ..corpora.files import files_written_whole
from ..sums import check_sums, write_sums
from .checks import Warner, check_positions, loading
from .groups import best_disjoint, with_entities
from .memory import in_memory
from .restoring import restored_after_errors

Item = TypeVar("Item")
Answer = TypeVar("Answer")

SAVED = ("cfg", "model")
"""The files of a saved component that have checksums."""


class SpanPipe(TrainablePipe):
    """A component whose `cfg` has labels, and whose model knows how many pieces a window has."""

    cfg: dict[str, Any]
    _score_warner: Warner

    @property
    def keeps_by_score(self) -> bool:
        """Whether a lower threshold adds spans of lower scores and takes none away.

        It does, as candidates are taken by score, the best first; but not where it is of a span's
        marks and the score is their mean.
        """
        return self.cfg.get("span_score") != "mean"

    @property
    def key(self) -> str:
        """Key of `doc.spans` that the spans are read from and written to."""
        return str(self.cfg["spans_key"])

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Find the spans of a stream of documents, `batch_size` of them at once, in their order.

        Where a batch fails its documents are done one by one. So the error handler
        (`nlp.set_error_handler`) gets only those that fail by themselves, each in a list of its
        own; and if it goes on, only these are missing.
        """
        # spaCy types it not.
        batches: Iterator[list[Doc]] = minibatch(stream, size=batch_size)  # type: ignore[no-untyped-call]
        for docs in batches:
            if self._annotated(docs):
                yield from docs
            else:
                yield from (doc for doc in map(self, docs) if doc is not None)

    def _annotated(self, docs: list[Doc]) -> bool:
        """Whether all went well. If not, nothing holds what the failure had in memory."""
        try:
            self.set_annotations(docs, self.predict(docs))
        except Exception:  # whatever it is, it is raised again by the document that it is of
            return False
        return True

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """Save to bytes."""
        self._make_plain()
        return super().to_bytes(exclude=exclude)

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Save to a folder, with checksums. A file that was there is replaced at the end, whole."""
        self._make_plain()
        with files_written_whole(Path(path)) as part:
            super().to_disk(part, exclude=exclude)
            write_sums(part, SAVED, target=Path(path))

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> SpanPipe:
        """Load what `to_disk` wrote. What the config says of the model stays as it is.

        Raises ValueError or OSError if a file is damaged or gone, or not the one that was saved,
        and ValueError if the config's `max_pieces` is more than the encoder has positions for. The
        component is then as it was.
        """
        if not Path(path).is_dir():
            raise FileNotFoundError(
                f"there is no folder {path}: '{self.name}' was not saved with this pipeline. Save "
                f"it whole, or load it with exclude=['{self.name}']"
            )
        max_pieces = self.model.attrs["max_pieces"]
        with self._restored_after_errors():
            with self._loading(f"the folder '{path}'", exclude):
                check_sums(Path(path), SAVED, but=exclude)
                super().from_disk(path, exclude=exclude)
            self.model.attrs["max_pieces"] = max_pieces
            check_positions(self)
        return self

    def from_bytes(self, bytes_data: bytes, *, exclude: Iterable[str] = ()) -> SpanPipe:
        """Load what `to_bytes` gave, `max_pieces` included.

        Raises ValueError if it is damaged. The component is then as it was.
        """
        with self._restored_after_errors(), self._loading("these bytes", exclude):
            super().from_bytes(bytes_data, exclude=exclude)
        return self

    @contextmanager
    def _loading(self, where: str, exclude: Iterable[str]) -> Iterator[None]:
        """As `loading`; and a missing 'cfg' is an error, which spaCy reads as an empty one."""
        attrs = dict(self.model.attrs)
        if "cfg" not in exclude:
            self.cfg["labels"] = None
        with loading(self.name, where):
            yield
            self._check_loaded()
        del attrs["max_pieces"]
        self.model.attrs.update(attrs)

    @contextmanager
    def _restored_after_errors(self) -> Iterator[None]:
        """What the component knew before it knows again after an error."""
        cfg = dict(self.cfg)
        try:
            with restored_after_errors(self.model):
                yield
        except BaseException:
            self.cfg = cfg
            raise

    def _make_plain(self) -> None:
        """Settings that were set to one of numpy's numbers cannot be saved as these."""
        for key, value in self.cfg.items():
            self.cfg[key] = value.item() if isinstance(value, np.generic) else value

    def _write(self, doc: Doc, group: SpanGroup) -> None:
        """To `doc.spans`; and to `doc.ents` if set so, where entities that do not overlap stay."""
        doc.spans[self.key] = group
        if self.cfg["set_ents"]:
            doc.ents = with_entities(best_disjoint(group), doc)

    def warn_unscored(self, nlp: Language) -> None:
        """Once, where a config that names its data leaves this component's score out of the score.

        A factory's default weights are for one key, whatever `spans_key` is.
        """
        config = nlp.config.interpolate()
        weights, figure = config["training"]["score_weights"], f"spans_{self.key}_f"
        corpora = [each for each in config["corpora"].values() if isinstance(each, dict)]
        if figure not in weights and any(each.get("path") for each in corpora):
            self._score_warner.warn(
                f"'{self.name}' writes to doc.spans['{self.key}'], but [training.score_weights] "
                f"has no {figure}: which state is the best is decided without it. Set {figure} = "
                f"1.0 there, and those of keys that are not in use (it has {sorted(weights)}) to "
                "null."
            )

    def _check_loaded(self) -> None:
        """Raise ValueError for what was loaded and cannot be."""

    def _in_memory(
        self, read: Callable[[Sequence[Item]], list[Answer]], items: Sequence[Item]
    ) -> list[Answer]:
        setting = f"[components.{self.name}] max_pieces = {self.model.attrs['max_pieces']}"
        return in_memory(read, items, setting=setting)
