"""A page's writer: its voice, its typographic habits, and the scholar's facts as labelled text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from . import phrases
from .scholars import THIS_YEAR, Post, Scholar, World
from .text import Text, fill, join, label

T = TypeVar("T")


class Page:
    """One page's writer: its scholar, its voice and its typographic habits, chosen once."""

    def __init__(self, world: World, scholar: Scholar) -> None:
        self.world, self.scholar = world, scholar
        self.pick, self.chance, self.rng = world.pick, world.chance, world.rng
        self.first_person = self.chance(0.4)
        self.bullet = self.pick(["- ", "* ", "• ", "", "", "{n}. ", "[{n}] "])
        self.dash = self.pick(["-", "-", "\N{EN DASH}", " - ", " to "])
        self.post_line = self.pick(phrases.POST_LINES)
        self.degree_line = self.pick(phrases.DEGREE_LINES)
        self.award_line = self.pick(phrases.AWARD_LINES)
        self.citation = self.pick(phrases.CITATIONS)
        self.newest_first = self.chance(0.5)
        self.heading_style = self.pick(
            ["{0}", "{0}", "{0}:", "{1}", "## {0}", "== {0} ==", "", "* {1} *", "{0}\n--------"]
        )

    # Slots

    def say(self, template: str, **given: Text | str) -> Text:
        """Fill a template: from `given`, else from the page's voice, else with an invention."""
        return fill(template, lambda slot: given[slot] if slot in given else self.draw(slot))

    def sentence(self, template: str, **given: Text | str) -> Text:
        """A sentence without its full stop."""
        return self.say(template, **given).capitalised()

    def draw(self, slot: str) -> str:
        """The value of a slot that no fact of the scholar's decides."""
        if slot in VOICE:
            return self.voice(slot)
        if slot[0].isupper():
            value = self.draw(slot.lower())
            return value[:1].upper() + value[1:]
        return DRAWS[slot](self.world)

    def voice(self, slot: str) -> str:
        if slot == "I" and not self.first_person and self.chance(0.25):
            return self.pick(["Dr ", "Professor ", ""]) + self.scholar.surname
        person = "I" if self.first_person else self.scholar.gender
        return VOICE[slot][["I", "she", "he"].index(person)]

    # Labelled facts

    def name(self) -> Text:
        return label("name", self.scholar.name)

    def title(self) -> Text:
        return label("title", self.scholar.present.title)

    def affiliation(self, separator: str = ", ") -> Text:
        return label("affiliation", separator.join(self.scholar.present.employer))

    def birth(self, *, prose: bool) -> Text:
        """Date, place or both; in prose with the preposition that it needs, unlabelled."""
        scholar = self.scholar
        year = str(scholar.birth_year)
        date = self.pick([f"{self.draw('day')} {self.draw('month')} {year}"] * 2 + [year])
        comma = self.pick([", ", " in "])
        both = date + (" in " if prose else comma) + scholar.birth_place
        fact = self.pick([date, both, both, scholar.birth_place])
        preposition = (
            "on " if fact[: len(year)] != year and fact.startswith(date) else "in "
        ) * prose
        return preposition + label("birth", fact)

    def contact(self, separator: str) -> Text:
        """Some of post address, telephone and mail, as one block."""
        facts = [
            self.pick(["", "Email: ", "E-mail: ", "Mail "]) + self.own_mail(),
            self.pick(["", "Phone: ", "Tel. ", "Telephone "]) + self.draw("phone"),
            self.say("{street} {n}, {town}").string,
            self.say("Room {n}").string,
        ]
        chosen = self.rng.sample(facts, self.rng.randint(1, 4))
        return label("contact", separator.join(chosen))

    def own_mail(self) -> str:
        user = self.pick([self.scholar.surname, f"{self.scholar.given[0]}.{self.scholar.surname}"])
        at = self.pick(["@", "@", " (at) ", " [at] "])
        return f"{user}{at}{self.draw('domain')}".lower()

    # Helpers for lists

    def heading(self, section: str) -> str:
        """A heading line with its line break, or nothing where the page has none."""
        words = self.say(self.pick(phrases.HEADINGS[section])).string
        return self.heading_style.format(words, words.upper()) + "\n" if self.heading_style else ""

    def listed(self, lines: Sequence[Text], block: str | None = None) -> Text:
        """Lines with bullets; a block runs from the first line's words to the end of the last."""
        bullets = [self.bullet.format(n=number) for number, _ in enumerate(lines, 1)]
        rest = [bullet + line for bullet, line in zip(bullets[1:], lines[1:], strict=True)]
        body = join("\n", [lines[0], *rest])
        return bullets[0] + (label(block, body) if block else body)

    def in_order(self, facts: list[T]) -> list[T]:
        """Facts that come oldest first, in the order that this page prefers."""
        return facts[::-1] if self.newest_first else facts

    def years(self, post: Post) -> str:
        if post.end is None:
            return self.pick(
                [
                    f"since {post.start}",
                    f"{post.start}{self.dash}present",
                    f"{post.start}{self.dash}",
                ]
            ).strip()
        return f"{post.start}{self.dash}{post.end}" if post.end > post.start else str(post.start)


# Voice: first person, she, he.
VOICE = {
    "I": ("I", "she", "he"),
    "me": ("me", "her", "him"),
    "my": ("my", "her", "his"),
    "My": ("My", "Her", "His"),
    "am": ("am", "is", "is"),
    "have": ("have", "has", "has"),
    "s": ("", "s", "s"),
}

DRAWS: dict[str, Callable[[World], str]] = {
    "person": World.person,
    "town": World.place,
    "place": World.place,
    "country": lambda world: world.pick(phrases.COUNTRIES),
    "institution": World.institution,
    "school": World.institution,
    "field": World.nearby_field,
    "topic": World.topic,
    "topic2": World.topic,
    "rank": lambda world: world.rank(world.rng.randint(0, 4)),
    "award": lambda world: world.from_table(phrases.AWARDS),
    "employer": lambda world: world.from_table(phrases.EMPLOYERS),
    "venue": lambda world: world.from_table(phrases.VENUES),
    "other_degree": lambda world: world.pick(["PhD", "MSc", "BSc", "doctorate", "Master's"]),
    "an_other_degree": lambda world: (
        world.pick(["a PhD", "a doctorate", "an MSc"]) + f" in {world.nearby_field()}"
    ),
    "duty": lambda world: (
        world.pick(["taught", "did fieldwork", "ran the laboratory", "wrote a book"])
        + world.pick(["", f" on {world.topic()}"])
    ),
    "month": lambda world: world.pick(phrases.MONTHS),
    "day": lambda world: str(world.rng.randint(1, 28)),
    "n": lambda world: str(world.rng.randint(2, 12)),
    "volume": lambda world: str(world.rng.randint(3, 80)),
    "year": lambda world: str(world.rng.randint(1985, THIS_YEAR)),
    "later": lambda world: str(world.rng.randint(2010, THIS_YEAR + 4)),
    "old_year": lambda world: str(world.rng.randint(1790, 1935)),
    "street": lambda world: world.pick(phrases.STREETS),
    "phone": lambda world: (
        f"+{world.rng.randint(20, 99)} {world.rng.randint(10, 99)} "
        f"555 {world.rng.randint(0, 9999):04d}"
    ),
    "domain": lambda world: f"{world.place().replace(' ', '-').lower()}.example",
    "mail": lambda world: (
        f"{world.surname().lower()}@{world.place().replace(' ', '-').lower()}.example"
    ),
}
