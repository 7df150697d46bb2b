"""The facts of an invented scholar's life, before anyone writes a home page about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import TypeVar

from . import phrases

T = TypeVar("T")
THIS_YEAR = 2024


class World:
    """Draws names of invented people, places and things from one random stream."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.field = self.pick(list(phrases.FIELDS))

    def pick(self, table: Sequence[T]) -> T:
        return self.rng.choice(table)

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def surname(self) -> str:
        name = self.pick(phrases.SURNAME_HEADS) + self.pick(phrases.SURNAME_TAILS)
        return f"{name}-{self.surname()}" if self.chance(0.03) else name

    def full_name(self) -> str:
        middle = self.pick(["", "", "", f"{self.pick('ABCDEFHJKLMRSTVW')}. "])
        return f"{self.pick(phrases.GIVEN_NAMES)} {middle}{self.surname()}"

    def person(self) -> str:
        return self.pick(["", "", "Dr ", "Professor ", "Prof. "]) + self.full_name()

    def place(self) -> str:
        name = self.pick(phrases.PLACE_HEADS) + self.pick(phrases.PLACE_TAILS)
        return self.pick(["", "", "", "", "Port ", "New ", "Saint "]) + name

    def topic(self) -> str:
        return self.pick(phrases.FIELDS[self.nearby_field()])

    def nearby_field(self) -> str:
        """Mostly the page's own field, sometimes another one."""
        return self.field if self.chance(0.8) else self.pick(list(phrases.FIELDS))

    def from_table(self, table: Sequence[str], **known: str) -> str:
        """One entry of a table of things that are made of names."""
        return self.pick(table).format_map(
            {
                "place": self.place(),
                "surname": self.surname(),
                "other": self.surname(),
                "country": self.pick(phrases.COUNTRIES),
                "field": self.nearby_field(),
            }
            | known
        )

    def institution(self) -> str:
        return self.from_table(phrases.INSTITUTIONS)

    def workplace(self) -> tuple[str, ...]:
        """An employer from small to large: `(department, institution)` or one name."""
        if self.chance(0.2):
            return (self.from_table(phrases.EMPLOYERS),)
        department = self.from_table(phrases.DEPARTMENTS, field=self.field)
        return (department, self.institution()) if self.chance(0.6) else (self.institution(),)

    def rank(self, level: int) -> str:
        """A post's name, at a level from 0 (assistant) to 4 (professor)."""
        rank = self.pick(phrases.RANKS[level])
        link = self.pick([" of ", " in ", " in ", ", "])
        return rank + (link + self.field if self.chance(0.45) else "")


@dataclass(frozen=True)
class Degree:
    name: str
    school: str
    year: int


@dataclass(frozen=True)
class Post:
    title: str
    employer: tuple[str, ...]
    start: int
    end: int | None


@dataclass(frozen=True)
class Scholar:
    """`posts` run from the first to the present one, whose `end` is None."""

    given: str
    surname: str
    gender: str
    birth_year: int
    birth_place: str
    degrees: list[Degree]
    posts: list[Post]
    awards: list[str]

    @property
    def name(self) -> str:
        return f"{self.given} {self.surname}"

    @property
    def present(self) -> Post:
        return self.posts[-1]


def invent_scholar(world: World, *, n_posts: int) -> Scholar:
    """A life whose dates follow one another: born, studied, and then `n_posts` posts."""
    given, surname = world.full_name().rsplit(" ", 1)
    birth_year = world.rng.randint(1938, 1988)
    degrees = _invent_degrees(world, birth_year)
    return Scholar(
        given=given,
        surname=surname,
        gender=world.pick(["she", "he"]),
        birth_year=birth_year,
        birth_place=world.place() + world.pick(["", "", ", " + world.pick(phrases.COUNTRIES)]),
        degrees=degrees,
        posts=_invent_posts(world, degrees[-1].year - world.rng.randint(0, 3), n_posts),
        awards=[
            world.from_table(phrases.AWARDS, field=world.field)
            for _ in range(world.rng.randint(1, 5))
        ],
    )


def _invent_degrees(world: World, birth_year: int) -> list[Degree]:
    years = [birth_year + world.rng.randint(21, 24)]
    years += [years[0] + world.rng.randint(1, 3)]
    years += [years[1] + world.rng.randint(3, 6)]
    degrees = []
    for level, year in enumerate(years):
        subject = world.field if world.chance(0.75) else world.nearby_field()
        name = world.pick(phrases.DEGREES[level]).format(subject=subject)
        degrees.append(Degree(name, world.institution(), year))
    return degrees[world.pick([0, 0, 0, 1, 1, 2]) :]


def _invent_posts(world: World, first_year: int, n_posts: int) -> list[Post]:
    last_year = max(first_year + n_posts, THIS_YEAR - world.rng.randint(1, 15))
    steps = sorted(world.rng.uniform(first_year, last_year) for _ in range(n_posts - 1))
    years = [first_year, *(round(step) for step in steps)]
    ends = [max(end, start) for start, end in pairwise(years)]
    levels = sorted(world.rng.randint(0, 4) for _ in range(n_posts - 1))
    return [
        Post(world.rank(level), world.workplace(), start, end)
        for level, start, end in zip(
            [*levels, world.rng.randint(1, 4)], years, [*ends, None], strict=True
        )
    ]
