"""The block view: long and nested spans drawn beside the text, whose lines stay as they are.

    from spacy_sener import displacy
    displacy.render(doc, style="block")

A span of `marks.BLOCK_TOKENS` tokens or more is a bar in the gutter, with a chip (label, score,
length) above its first line and corner marks where it starts or ends inside a line. A shorter one
is underlined. Of an `Example`, gold and predicted spans are compared. The page needs nothing from
outside it, and is of use without its script.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, cast
from uuid import uuid4
from wsgiref import simple_server

from spacy import displacy as spacy_displacy
from spacy.errors import Warnings
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import find_available_port, is_in_jupyter

from .marks import Drawable, read_pages
from .page import PageWriter
from .page import minify as minify_page

__all__ = ["render", "serve"]

SPACY_STYLES = ("dep", "ent", "span")
OPTIONS = ("spans_key", "ents", "colors", "title")


def render(
    docs: Drawable | Iterable[Drawable],
    style: str = "block",
    page: bool = False,
    minify: bool = False,
    jupyter: bool | None = None,
    options: Mapping[str, Any] | None = None,
) -> str | None:
    """Draw the spans of documents as HTML.

    docs (Doc, Span or Example, or several): What to draw. Of an `Example` the spans of `predicted`
        are compared with those of `reference`.
    style (str): "block". Of spaCy's own styles, spaCy's displaCy is asked.
    page (bool): A whole page, or only an element to put into one.
    minify (bool): Leave out whitespace that is not the text's.
    jupyter (bool): Show it in the notebook, and return None. By default where there is one.
    options (dict): For "block", the following.
        spans_key (str): Draw `doc.spans[spans_key]`, "sc" by default; scores are taken from its
            `attrs["scores"]`.
        ents (list): Labels to draw; by default, or if None, all.
        colors (dict): CSS colours by label; labels are compared in upper case.
        title (str): Title of the page, "Spans" by default.
    RETURNS (str): HTML in which all text, labels and titles are escaped.
    Raises ValueError for an unknown style or option, a document without the key, and for what has
    not the form of a CSS colour.
    """
    if style in SPACY_STYLES:
        spacy_docs = cast(Doc | Iterable[Doc], docs)
        return spacy_displacy.render(
            spacy_docs, style, page, minify, jupyter=jupyter, options=dict(options or {})
        )
    html = _html(docs, style, page=page, minify=minify, options=options or {})
    if jupyter or (jupyter is None and is_in_jupyter()):
        from IPython.display import HTML, display

        return display(HTML(html))
    return html


def serve(
    docs: Drawable | Iterable[Drawable],
    style: str = "block",
    page: bool = True,
    minify: bool = False,
    options: Mapping[str, Any] | None = None,
    port: int = 5000,
    host: str = "127.0.0.1",
    auto_select_port: bool = False,
) -> None:
    """Draw the spans of documents as `render` does, and serve the page until Ctrl-C.

    port (int): Where to serve.
    host (str): The address to serve at; unlike spaCy's, by default one that only this machine
        reaches, as texts may be nobody else's business.
    auto_select_port (bool): Take the next free port if that one is in use.
    """
    if is_in_jupyter():
        warnings.warn(Warnings.W011, stacklevel=2)
    html = render(docs, style, page=page, minify=minify, jupyter=False, options=options)
    port = find_available_port(port, host, auto_select_port)
    server = simple_server.make_server(host, port, _app(html or ""))
    print(f"\nUsing the '{style}' visualizer\nServing on http://{host}:{port} ...\n", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print(f"Shutting down server on port {port}.")
    finally:
        server.server_close()


def _html(
    docs: Drawable | Iterable[Drawable],
    style: str,
    *,
    page: bool,
    minify: bool,
    options: Mapping[str, Any],
) -> str:
    _check(style, options)
    labels = options.get("ents")
    pages = read_pages(
        [docs] if isinstance(docs, Doc | Span | Example) else docs,
        options.get("spans_key", "sc"),
        None if labels is None else {label.upper() for label in labels},
    )
    # Several elements may come to stand in one notebook; a page is always the same.
    root = "blocks" if page else f"blocks-{uuid4().hex[:8]}"
    writer = PageWriter(pages, root=root, colors=options.get("colors") or {})
    html = writer.whole_page(str(options.get("title") or "Spans")) if page else writer.element()
    if minify:
        html = minify_page(html)
    if spacy_displacy.RENDER_WRAPPER is not None:
        html = spacy_displacy.RENDER_WRAPPER(html)
    return html


def _check(style: str, options: Mapping[str, Any]) -> None:
    if style != "block":
        raise ValueError(
            f"style: {style!r} is unknown; there are 'block' and spaCy's own, "
            f"{', '.join(map(repr, SPACY_STYLES))}"
        )
    if unknown := sorted(set(options) - set(OPTIONS)):
        raise ValueError(
            f"options: {', '.join(map(repr, unknown))} unknown; style 'block' has "
            f"{', '.join(map(repr, OPTIONS))}"
        )
    labels, colors = options.get("ents"), options.get("colors")
    if not (labels is None or _are_labels(labels)):
        raise ValueError(f"options: 'ents' should be a list of labels, not {labels!r}")
    if not isinstance(colors, Mapping | None):
        raise ValueError(
            f"options: 'colors' should be a mapping of labels to CSS colours, not {colors!r}"
        )


def _are_labels(labels: object) -> bool:
    return (
        isinstance(labels, Collection)
        and not isinstance(labels, str)
        and all(isinstance(label, str) for label in labels)
    )


def _app(html: str) -> Callable[..., list[bytes]]:
    """The page as a WSGI application."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Content-type", "text/html; charset=utf-8")])
        return [html.encode()]

    return app
