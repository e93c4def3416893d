"""Objects that are labelled more than once: exact repeats, double clicks, and one place under two classes."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from detect.labels.entries import Entry, Problems

SAME_PLACE_PX = 1.0
"""Two objects of which no coordinate differs by this many pixels are at one place."""

_COMPARED = 8
"""Most objects within a pixel that one object is compared with."""


def without_repeats(entries: Sequence[Entry], problems: Problems) -> list[Entry]:
    """Return the entries of an image without those that are exactly like an earlier one, which is told.

    So are statements that there are no objects, where there are some.
    """
    first: dict[tuple[object, ...], Entry] = {}
    objects = next((entry for entry in entries if entry.is_object), None)
    kept = []
    for entry in entries:
        if entry.numbers is None and objects is not None:
            problems.skip(entry.place, f"states that {entry.image} has no objects, which has one at {objects.place}")
            continue
        before = first.setdefault((entry.numbers, entry.label, entry.ignored), entry)
        if before is entry:
            kept.append(entry)
        elif entry.numbers is not None:
            problems.tell("rows that are there twice count once", f"{entry.place} (as {_line(before, entry)})")
    return kept


def tell_near(entries: Sequence[Entry], problems: Problems) -> None:
    """Log two objects of an image at one place: double clicks of one class, or one object under two classes.

    Both are kept: which of them is right only a person knows.
    """
    for before, entry in _pairs([entry for entry in entries if entry.is_object]):
        place = f"{entry.place} (and {_line(before, entry)})"
        if before.label == entry.label:
            problems.tell(
                f"double clicks, two objects of one class less than {SAME_PLACE_PX:g} pixel apart, which count twice; "
                "delete one of each",
                place,
            )
        else:
            problems.tell("one place under two classes, which counts for both; delete one of each", place)


def tell_spellings(labels: Iterable[str], problems: Problems) -> None:
    """Log class names that differ by case or blanks alone; they stay different classes."""
    spellings: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for label in labels:
        spellings["".join(label.casefold().split())][label] += 1
    for names in spellings.values():
        if len(names) > 1:
            counted = " and ".join(f"{name!r} ({number})" for name, number in sorted(names.items()))
            problems.tell(
                f"class names that differ by case or blanks alone, and are classes of their own: {counted}; "
                "write them alike if they are one",
                str(problems.source),
            )


def _pairs(entries: Sequence[Entry]) -> Iterator[tuple[Entry, Entry]]:
    """Yield pairs of objects at one place, each object with the first other before it; in linear time."""
    cells: dict[tuple[int, int], list[Entry]] = defaultdict(list)
    for entry in entries:
        numbers = entry.numbers or ()
        col, row = int(numbers[0] // SAME_PLACE_PX), int(numbers[1] // SAME_PLACE_PX)
        near = (cells.get((col + i, row + j), ()) for i in (-1, 0, 1) for j in (-1, 0, 1))
        before = next((other for others in near for other in others if _at_one_place(other, entry)), None)
        if before is not None:
            yield before, entry
        if len(cells[col, row]) < _COMPARED:
            cells[col, row].append(entry)


def _at_one_place(one: Entry, other: Entry) -> bool:
    pairs = zip(one.numbers or (), other.numbers or (), strict=True)
    return all(abs(a - b) < SAME_PLACE_PX for a, b in pairs)


def _line(other: Entry, entry: Entry) -> str:
    """Return where the other entry is: its line, with its file where that is another one."""
    return f"{other.unit} {other.line}" if other.source == entry.source else other.place
