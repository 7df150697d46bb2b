"""Folders that are written or replaced as a whole: what was there stays until the new one is."""

from pathlib import Path

import pytest

from spacy_sener.corpora.files import folder_replaced_whole, folder_written_whole, restore_folder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    fill(path, "first")
    return path


def fill(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / "file").write_text(text)


def content(path: Path) -> str:
    """Of the one file, in the one folder beside."""
    assert list(path.parent.iterdir()) == [path]
    assert list(path.iterdir()) == [path / "file"]
    return (path / "file").read_text()


def test_the_new_one_takes_the_place(path: Path) -> None:
    with folder_replaced_whole(path) as part:
        fill(part, "second")
        assert (path / "file").read_text() == "first"
    assert content(path) == "second"


def test_what_fails_leaves_the_old_one(path: Path) -> None:
    def half() -> None:
        with folder_replaced_whole(path) as part:
            part.mkdir()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert content(path) == "first"


def test_what_fails_while_the_names_are_changed_leaves_the_old_one(path: Path) -> None:
    """The old one has its other name already, and there is no new one to be renamed."""
    with pytest.raises(FileNotFoundError), folder_replaced_whole(path):
        pass
    assert content(path) == "first"


def test_a_process_that_was_killed_while_the_names_were_changed(path: Path) -> None:
    path.rename(path.with_name(".old-model"))
    restore_folder(path)
    restore_folder(path)
    assert content(path) == "first"
    path.rename(path.with_name(".old-model"))
    fill(path.with_name(".part-model"), "not used")
    with folder_replaced_whole(path) as part:
        assert (path / "file").read_text() == "first"
        fill(part, "second")
    assert content(path) == "second"


def test_a_process_that_was_killed_before_the_old_one_was_removed(path: Path) -> None:
    fill(path.with_name(".old-model"), "before")
    restore_folder(path)
    assert (path / "file").read_text() == "first"
    with folder_replaced_whole(path) as part:
        fill(part, "second")
    assert content(path) == "second"


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_to_a_folder_stays_one_and_its_folder_is_written(
    tmp_path: Path, is_there: bool
) -> None:
    real, link = tmp_path / "disk" / "real", tmp_path / "link"
    if is_there:
        real.mkdir(parents=True)
    link.symlink_to(real)
    with folder_written_whole(link) as part:
        fill(part, "new")
    assert link.is_symlink()
    assert content(real) == "new"
    with pytest.raises(FileExistsError, match="link is there already"), folder_written_whole(link):
        pass


def test_the_folder_that_the_process_works_in_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths such as that of a pipeline to read would lead nowhere."""
    work = tmp_path / "work"
    work.mkdir()
    (tmp_path / "link").symlink_to(work)
    monkeypatch.chdir(work)
    for path in (Path(), work, tmp_path / "link"):
        with pytest.raises(FileExistsError, match="is the current folder: name a new folder"):
            folder_written_whole(path).__enter__()
    assert Path.cwd().samefile(work)
