"""Where the block view is shown: in a notebook, and by a server."""

import socket
import sys
import threading
import types
import urllib.request
from typing import Any

import pytest
from displacy.helpers import make_doc
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

import spacy_sener.displacy as displacy


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a notebook would show, by the two functions of IPython that are called."""
    outputs: list[str] = []
    stand_in: Any = types.ModuleType("IPython.display")
    stand_in.HTML = str
    stand_in.display = outputs.append
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", stand_in)
    return outputs


def test_a_notebook_shows_it_and_gets_nothing_back(
    shown: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(displacy, "is_in_jupyter", lambda: True)
    assert displacy.render(make_doc("one")) is None
    assert len(shown) == 1
    assert shown[0].startswith('<div class="sener')
    # Text between dollars is no formula.
    assert "tex2jax_ignore mathjax_ignore" in shown[0]


def test_jupyter_is_what_one_says(shown: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert displacy.render(make_doc("one"), jupyter=True) is None
    monkeypatch.setattr(displacy, "is_in_jupyter", lambda: True)
    assert displacy.render(make_doc("one"), jupyter=False) is not None
    assert len(shown) == 1


def test_in_ipython_it_is_html() -> None:
    shell = InteractiveShell.instance()
    with capture_output() as captured:
        shell.push({"displacy": displacy, "doc": make_doc("one")})
        shell.run_cell("displacy.render(doc, jupyter=True)")
    assert captured.outputs[0].data["text/html"].startswith('<div class="sener')


def test_serve_answers_with_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        port = any_port.getsockname()[1]
    servers: list[Any] = []
    make_server = displacy.simple_server.make_server

    def make_quiet_server(host: str, port: int, app: Any) -> Any:
        servers.append(make_server(host, port, app))
        monkeypatch.setattr(servers[0].RequestHandlerClass, "log_message", lambda *_: None)
        return servers[0]

    monkeypatch.setattr(displacy.simple_server, "make_server", make_quiet_server)
    thread = threading.Thread(target=displacy.serve, args=(make_doc("one"),), kwargs={"port": port})
    thread.start()
    try:
        while not servers:
            thread.join(0.01)
            assert thread.is_alive()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
            assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
            assert answer.read().decode().startswith("<!DOCTYPE html>")
    finally:
        servers[0].shutdown()
        thread.join()
