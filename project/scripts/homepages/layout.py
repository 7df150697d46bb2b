"""The composition of whole pages: which facts are told, in which form, and in what order."""

from __future__ import annotations

from random import Random

from . import sections
from .scholars import World, invent_scholar
from .sections import Section
from .text import Text, join
from .writer import Page

# For each fact: how it is told inside a paragraph, and in a section of its own.
IN_PROSE: dict[str, Section] = {
    "birth": sections.birth_sentence,
    "research_interests": sections.interests_sentence,
    "education": sections.education_prose,
    "work_history": sections.career_prose,
    "awards": sections.awards_prose,
    "contact": sections.contact_sentence,
}
IN_SECTIONS: dict[str, Section] = {
    "birth": sections.birth_fact,
    "research_interests": sections.interests_list,
    "education": sections.education_list,
    "work_history": sections.career_list,
    "awards": sections.awards_list,
    "contact": sections.contact_lines,
    "publications": sections.publications,
}

# How often a page tells a fact at all, where that is not 0.7.
OFTEN_TOLD = {"birth": 0.4, "contact": 0.55, "education": 0.85, "work_history": 0.85}


def compose_page(rng: Random, *, long: bool) -> Text:
    """One home page of one invented scholar; a long one is a full curriculum."""
    world = World(rng)
    n_posts = rng.randint(14, 22) if long else rng.choice([1, 2, 3, 3, 4, 4, 5])
    page = Page(world, invent_scholar(world, n_posts=n_posts))
    prose, listed = _plan(page, long=long)
    parts = [_header(page), _paragraphs(page, prose), *_sections(page, listed, long=long)]
    if page.chance(0.3):
        parts.append(sections.closing(page))
    return join(page.pick(["\n\n", "\n\n", "\n"]), [part for part in parts if part])


def _plan(page: Page, *, long: bool) -> tuple[list[str], list[str]]:
    """Which facts go into paragraphs and which into sections; the others are left out."""
    taste = page.pick([0.1, 0.4, 0.4, 0.9])  # from curriculum to plain prose
    told = {fact: page.chance(OFTEN_TOLD.get(fact, 0.7)) for fact in IN_SECTIONS}
    told["work_history"] |= long
    prose = [
        fact
        for fact in IN_PROSE
        if told[fact] and page.chance(taste) and not (long and fact == "work_history")
    ]
    return prose, [fact for fact in IN_SECTIONS if told[fact] and fact not in prose]


def _header(page: Page) -> Text:
    """Name, title and affiliation as lines at the top, some of them, or a sentence, or nothing."""
    honorific = page.pick(["", "", "", "Dr ", "Prof. ", "Prof. Dr. ", "Home page of "])
    name = honorific + page.name() + page.pick(["", "", "", ", PhD", " - home"])
    address = page.affiliation(page.pick([", ", "\n"]))
    lines = page.pick(
        [
            [name, page.title(), address],
            [name, page.title(), address],
            [name],
            [name, address],
            [address, name, page.title()],
            ["Home | Research | Teaching | Contact", name],
            [name + ", " + page.title(), address],
            [
                "Staff pages",
                "Name: " + page.name(),
                "Position: " + page.title(),
            ],
            [],
        ]
    )
    return join("\n", lines)


def _paragraphs(page: Page, facts: list[str]) -> Text:
    """The facts of a biography, in one or two paragraphs, with asides between them."""
    pieces = [sections.introduction(page)] if facts or page.chance(0.5) else []
    order = list(facts)
    if page.chance(0.5):
        page.rng.shuffle(order)
    for fact in order:
        pieces.append(IN_PROSE[fact](page))
        if page.chance(0.3):
            pieces.append(sections.aside(page))
    if not pieces:
        return Text()
    cut = page.rng.randint(1, len(pieces))
    paragraphs = [join(". ", piece) + "." for piece in (pieces[:cut], pieces[cut:]) if piece]
    heading = page.heading("about") if page.chance(0.4) else ""
    return heading + join("\n\n", paragraphs)


def _sections(page: Page, facts: list[str], *, long: bool) -> list[Text]:
    """The sections in this page's order, own ones and those about others mixed."""
    others = page.rng.sample(list(sections.OTHER_SECTIONS), page.pick([0, 1, 1, 2, 2, 3]))
    bodies = {name: IN_SECTIONS[name](page) for name in facts}
    if long and "publications" in facts:
        bodies["publications"] = sections.publications(page, n_works=page.rng.randint(5, 14))
    bodies |= {name: sections.OTHER_SECTIONS[name](page) for name in others}
    if {"education", "work_history"} <= bodies.keys() and page.chance(0.2):
        # One list of both, with nothing to tell where the studies end.
        both = [bodies.pop("education"), bodies["work_history"]]
        bodies["work_history"] = join("\n", page.rng.sample(both, 2))
    order = page.rng.sample(list(bodies), len(bodies))
    return [_section(page, name, bodies[name]) for name in order]


def _section(page: Page, name: str, body: Text) -> Text:
    # A date of birth stands for itself more often than not.
    headed = page.chance({"birth": 0.1, "contact": 0.6}.get(name, 0.9))
    heading = {"birth": "about"}.get(name, name)
    return page.heading(heading) + body if headed else body
