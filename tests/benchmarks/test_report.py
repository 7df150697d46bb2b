"""What is printed."""

from benchmarks.goals import Goal, goals_table
from benchmarks.measure import Measurement, Subject
from benchmarks.report import Table, seconds


def test_a_table_is_markdown():
    table = Table("Times", ["tokens", "s"], [["512", "1.5"]])
    assert table.to_markdown().splitlines() == [
        "**Times**",
        "",
        "| tokens | s   |",
        "|--------|-----|",
        "| 512    | 1.5 |",
    ]


def test_goals_are_met_or_not():
    goals = [Goal("a", 2.0, 1.5, at_least=True), Goal("b", 2.0, 1.5), Goal("c", None, 1)]
    assert [row[-1] for row in goals_table(goals).rows] == ["yes", "NO", "not measured"]


def test_a_problem_is_told_beside_the_passes_before_it() -> None:
    subject = Subject("ours", "a:b", 512)
    assert seconds(Measurement(subject, seconds=[2.0, 1.0, 9.0])) == "2"
    assert seconds(Measurement(subject, seconds=[2.0], problem="died")) == "2; died"
    assert seconds(Measurement(subject, problem="died")) == "died"
    assert seconds(Measurement(subject)) == "-"
