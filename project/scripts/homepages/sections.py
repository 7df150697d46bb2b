"""The sections of a home page: each writes one body of text, without its heading."""

from __future__ import annotations

from collections.abc import Callable

from . import phrases
from .scholars import Degree, Post
from .text import Text, join, label
from .writer import Page

Section = Callable[[Page], Text]

# In prose a block ends before the last full stop; in a list it takes the last line whole.


def introduction(page: Page) -> Text:
    template = page.pick(phrases.INTRODUCTIONS)
    return page.sentence(
        template,
        name=page.name(),
        title=page.title(),
        affiliation=page.affiliation(),
        start=str(page.scholar.present.start),
    )


def birth_sentence(page: Page) -> Text:
    return page.sentence(page.pick(phrases.BIRTH_SENTENCES), birth=page.birth(prose=True))


def birth_fact(page: Page) -> Text:
    return page.sentence(page.pick(phrases.BIRTH_FACTS), birth=page.birth(prose=False))


def interests_sentence(page: Page) -> Text:
    topics = _topics(page)
    words = join(", ", topics[:-1]) + page.pick([" and ", ", and ", ", also "]) + topics[-1]
    interests = label("research_interests", words)
    return page.sentence(page.pick(phrases.INTEREST_SENTENCES), interests=interests)


def interests_list(page: Page) -> Text:
    separator = page.pick([None, None, ", ", "; ", " | "])
    topics = [Text(topic).capitalised() for topic in _topics(page)]
    if separator is None:
        return page.listed(topics, "research_interests")
    return label("research_interests", join(separator, topics))


def _topics(page: Page) -> list[str]:
    own = phrases.FIELDS[page.world.field]
    chosen = page.rng.sample(own, page.rng.randint(2, len(own)))
    return list(dict.fromkeys([*chosen, page.draw("topic")]))


def education_prose(page: Page) -> Text:
    degrees = page.scholar.degrees
    templates = page.rng.sample(phrases.DEGREE_SENTENCES, len(degrees))
    sentences = [_degree(page, *pair) for pair in zip(templates, degrees, strict=True)]
    return label("education", join(". ", sentences))


def education_list(page: Page) -> Text:
    lines = []
    for degree in page.in_order(page.scholar.degrees):
        line = _degree(page, page.degree_line, degree)
        if page.chance(0.3):
            line += page.pick([". ", "; ", "\n"]) + page.say(page.pick(phrases.DEGREE_EXTRAS))
        lines.append(line)
    return page.listed(lines, "education")


def _degree(page: Page, template: str, degree: Degree) -> Text:
    name = label("degree", degree.name)
    return page.sentence(template, degree=name, school=degree.school, year=str(degree.year))


def career_prose(page: Page) -> Text:
    *past, present = page.scholar.posts
    templates = page.rng.sample(phrases.POST_SENTENCES, len(past))
    sentences = [_post(page, *pair) for pair in zip(templates, past, strict=True)]
    if not past or page.chance(0.7):
        sentences.append(_post(page, page.pick(phrases.CURRENT_POST_SENTENCES), present))
    return label("work_history", join(". ", sentences))


def career_list(page: Page) -> Text:
    posts = (
        page.scholar.posts if page.chance(0.8) else page.scholar.posts[:-1] or page.scholar.posts
    )
    wordy = page.chance(0.3)
    lines = [_post(page, page.post_line, post, wordy=wordy) for post in page.in_order(posts)]
    return page.listed(lines, "work_history")


def _post(page: Page, template: str, post: Post, *, wordy: bool = False) -> Text:
    """One post; the present one names the owner's title and affiliation."""
    present = post is page.scholar.present
    text = page.sentence(
        template,
        title=page.title() if present else post.title,
        employer=page.affiliation() if present else ", ".join(post.employer),
        start=str(post.start),
        end=str(post.end),
        years=page.years(post),
    )
    if wordy and page.chance(0.7):
        text += page.pick(["; ", ". ", "\n  "]) + page.say(page.pick(phrases.DUTIES))
    return label("post", text)


def awards_prose(page: Page) -> Text:
    sentences = [
        page.sentence(page.pick(phrases.AWARD_SENTENCES), award=label("award", award))
        + page.pick(["", f" in {page.draw('year')}"])
        for award in page.scholar.awards[:3]
    ]
    return join(". ", sentences)


def awards_list(page: Page) -> Text:
    return page.listed(
        [
            page.sentence(page.award_line, award=label("award", award))
            for award in page.scholar.awards
        ]
    )


def publications(page: Page, *, n_works: int | None = None) -> Text:
    count = n_works or page.pick([1, 2, 2, 3, 3, 4])
    return page.listed([_work(page, own=True) for _ in range(count)], "publications")


def _work(page: Page, *, own: bool) -> Text:
    others = [_author(page) for _ in range(page.rng.randint(0 if own else 1, 3))]
    owner = [f"{page.scholar.surname}, {page.scholar.given[0]}."] if own else []
    first_page = page.rng.randint(1, 900)
    return page.sentence(
        page.citation,
        authors=", ".join(page.rng.sample(owner + others, len(owner + others))),
        coauthor=_author(page),
        title=page.say(page.pick(phrases.TITLES_OF_WORKS)),
        pages=f"{first_page}-{first_page + 14}",
    )


def _author(page: Page) -> str:
    return f"{page.world.surname()}, {page.pick('ABCDEFGHIJKLMNOPRSTVW')}."


def contact_lines(page: Page) -> Text:
    return page.contact(page.pick(["\n", "\n", " | ", ", "]))


def contact_sentence(page: Page) -> Text:
    return page.sentence(page.pick(phrases.CONTACT_SENTENCES), contact=page.contact(", "))


# Sections about others: nothing in them is labelled.


def aside(page: Page) -> Text:
    return page.sentence(page.pick(phrases.ASIDES))


def thanks(page: Page) -> Text:
    return join(". ", [aside(page) for _ in range(page.rng.randint(1, 3))]) + "."


def reading_list(page: Page) -> Text:
    return page.listed([_work(page, own=False) for _ in range(page.rng.randint(1, 3))])


def _lines_of(table: list[str]) -> Section:
    def section(page: Page) -> Text:
        habit = page.rng.sample(table, 2)
        count = page.rng.randint(1, 4)
        return page.listed([page.sentence(page.pick(habit)) for _ in range(count)])

    return section


def closing(page: Page) -> Text:
    return page.say(page.pick(phrases.CLOSINGS))


OTHER_SECTIONS: dict[str, Section] = {
    "people": _lines_of(phrases.PEOPLE_LINES),
    "news": _lines_of(phrases.NEWS_LINES),
    "teaching": _lines_of(phrases.COURSES),
    "service": _lines_of(phrases.SERVICE_LINES),
    "funding": _lines_of(phrases.FUNDING_LINES),
    "office": _lines_of(phrases.OFFICE_LINES),
    "reading": reading_list,
    "thanks": thanks,
    "institution": thanks,
}
