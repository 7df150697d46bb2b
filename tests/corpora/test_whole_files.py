"""Files that are written as a whole: through links, over no pipe, and packed."""

import gzip
import os
from pathlib import Path

import pytest

from spacy_sener.corpora.files import check_file, create_text, open_text, written_whole


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_stays_one_and_what_it_leads_to_is_written(tmp_path: Path, is_there: bool) -> None:
    real, link = tmp_path / "disk" / "real.1", tmp_path / "link.jsonl"
    if is_there:
        real.parent.mkdir()
        real.write_text("old")
    link.symlink_to(real)
    with written_whole(link) as part:
        assert part.suffix == ".jsonl"
        part.write_text("new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert list(real.parent.iterdir()) == [real]


def test_what_fails_leaves_what_a_link_leads_to(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    link.symlink_to(real)

    def half() -> None:
        with create_text(link) as file:
            file.write("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert real.read_text() == "old"
    assert sorted(tmp_path.iterdir()) == [link, real]


def test_a_pipe_or_device_is_not_replaced(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        with pytest.raises(FileExistsError, match="is a pipe or device"), create_text(path):
            pass
    assert pipe.is_fifo()
    with pytest.raises(FileExistsError, match="null is a pipe or device: name a file to write"):
        check_file(Path(os.devnull))  # no more than that: it would be a pity


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz"])
def test_the_same_text_is_the_same_file_under_any_name_and_at_any_time(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / f"{name}.txt{suffix}" for name in ("one", "another")]
    for seconds, path in enumerate(paths):
        monkeypatch.setattr("time.time", lambda seconds=seconds: 1e9 + seconds)
        with create_text(path) as file:
            file.write("Ä\r\n" * 1000)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    for path in paths:
        with open_text(path) as file:
            assert file.read() == "Ä\r\n" * 1000
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_what_gzip_unpacks_has_no_name_of_ours(tmp_path: Path) -> None:
    with create_text(tmp_path / "a.jsonl.gz") as file:
        file.write("{}")
    packed = (tmp_path / "a.jsonl.gz").read_bytes()
    assert gzip.decompress(packed) == b"{}"
    has_name = packed[3] & 8  # the flag FNAME of the header, RFC 1952
    assert not has_name
