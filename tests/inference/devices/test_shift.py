"""Simulated workers that hang, are slow, end or cannot start: what is recorded is the same, each image once."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from detect.inference.devices.crew import Crew
from detect.inference.devices.hands import Hand
from detect.inference.devices.open_tasks import OpenTasks
from detect.inference.devices.pace import LEAST_SECONDS, Pace
from detect.inference.devices.tasks import Found, Task
from detect.inference.strips.strip import Joint, Strip
from tests.inference.devices.simulated import DIES, HANGS, Clock, World
from tests.inference.devices.stands import Image
from tests.inference.devices.test_crew import Kept

MINUTE = 60.0


class Watched(Kept):
    """Keeps what is told, and holds the progress to what there is.

    Args:
        expected: pixels of the run.
    """

    def __init__(self, expected: int, *done: str) -> None:
        super().__init__(*done)
        self.expected = expected

    def advance(self, pixels: int) -> None:
        super().advance(pixels)
        assert 0 <= self.pixels <= self.expected


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock.ticking(monkeypatch)


def in_strips(name: str, number: int) -> list[list[Image]]:
    """The units of an image in strips of 10 pixels, and the one that joins them."""
    strips = tuple(Strip(Path("strips"), each, each + 1, 10) for each in range(number))
    return [[Image(name, part=part)] for part in (*strips, Joint(strips))]


def counted(world: World, kept: Kept, units: list[Any], workers: int = 2, silent: float | None = 30 * MINUTE) -> Crew:
    """Have images counted; a unit is a tuple of names, or of images."""
    made = [[each if isinstance(each, Image) else Image(each) for each in unit] for unit in units]
    starts: list[Any] = [(f"worker {place + 1}", None) for place in range(workers)]
    crew = Crew(starts, kept, [None] * workers, hiring=world, silent_seconds=silent)
    crew(made, kept, kept.fail)
    return crew


def test_a_worker_that_hangs_is_told_of_and_then_ended_and_another_one_counts_its_images(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The first worker to have `hang` tells nothing from then on: 5 minutes later it is named, 30 later it is ended."""
    hung: list[Any] = []

    def takes(place: int, name: str, hand: Any) -> float:
        if name == "hang" and not hung:
            hung.append((hand, clock.now))
            return HANGS
        return 10.0

    kept, world = Watched(500), World(clock, takes)
    counted(world, kept, [("a",), ("hang", "b"), ("c",), ("d",)])
    assert kept.names == ["a", "hang", "b", "c", "d"] and kept.pixels == 500 and not kept.failed
    (hand, since) = hung[0]
    assert 30 * MINUTE <= hand.ended - since < 31 * MINUTE and hand.lost
    told = next(line for line in caplog.messages if "has told nothing" in line)
    assert told.startswith(f"{hand.device} counts hang, b, and has told nothing for 5")
    assert "it is ended after 30 minutes (launcher.silent_minutes)" in told
    assert "ended (silence for 30 minutes, launcher.silent_minutes) while it counted" in caplog.text


def test_an_image_by_which_two_workers_hang_fails(clock: Clock) -> None:
    kept = Watched(300)
    counted(
        World(clock, lambda place, name, hand: HANGS if name == "hang" else 10.0), kept, [("a",), ("hang",), ("c",)]
    )
    assert kept.names == ["a", "c"]
    assert [(each.name, each.error) for each in kept.failed] == [
        (
            "hang",
            "the processes that counted it ended, twice (the last by silence for 30 minutes, launcher.silent_minutes), "
            "if it was at work, a greater launcher.silent_minutes gives it the time",
        )
    ]


def test_silence_counts_from_what_was_last_told_or_given(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Worker 1 takes 50 minutes for a strip, half of which it tells of; worker 2 has nothing to do for 49, then 20."""
    kept, minutes = Watched(20), iter([1.0, 20.0])
    world = World(clock, lambda place, name, hand: MINUTE * (next(minutes) if place else 50), ahead=False)
    counted(world, kept, in_strips("large", 2))
    assert kept.values == ["large joined"] and not kept.failed and len(world.hired) == 2
    assert next(minutes, None) is None and "ended (silence" not in caplog.text


class Stopped(World):
    """Workers that stand still for an hour, with the run's own process, as by Ctrl-Z."""

    stood = False

    def wait(self, hands: Sequence[Hand], seconds: float) -> Sequence[Hand]:
        counting = all(hand.tasks and hand.agenda and hand.agenda[0][0] > self.clock.now for hand in self.hired)
        if counting and not self.stood:
            self.stood = True
            self.clock.now += 60 * MINUTE
            for hand in self.hired:
                hand.agenda = [(when + 60 * MINUTE, order, event) for when, order, event in hand.agenda]
                hand.busy, hand.told = hand.busy + 60 * MINUTE, hand.told + 60 * MINUTE
        return super().wait(hands, seconds)


def test_the_time_in_which_the_run_itself_stood_still_is_no_silence(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    kept, world = Watched(400), Stopped(clock, lambda place, name, hand: 40.0 if place else 7.0)
    counted(world, kept, [("a",), ("b",), ("c",), ("d",)])
    assert kept.names == [*"abcd"] and world.stood and len(world.hired) == 2
    assert "has told nothing" not in caplog.text and "ended (silence" not in caplog.text


@pytest.mark.parametrize("signs", [60.0, 0.0])
def test_a_worker_that_writes_for_hours_lives_as_long_as_it_gives_signs_of_life(
    clock: Clock, caplog: pytest.LogCaptureFixture, signs: float
) -> None:
    """Each image takes 5 seconds, and its files 100 minutes; without signs it is taken for one that hangs, twice."""
    kept = Watched(200)
    counted(World(clock, lambda place, name, hand: 5.0, writes=lambda place: 100 * MINUTE, signs=signs), kept, [("a",)])
    assert kept.names == (["a"] if signs else []) and len(kept.failed) == (0 if signs else 1)
    assert ("has told nothing" in caplog.text) == (not signs)


def test_without_a_bound_a_silent_worker_is_waited_for(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    kept = Watched(100)
    world = World(clock, lambda place, name, hand: 300 * MINUTE)
    counted(world, kept, [("slow",)], silent=None)
    assert kept.names == ["slow"]
    assert caplog.text.count("is waited for (launcher.silent_minutes=null)") == 2, "before and after half of its pixels"


@pytest.mark.parametrize("copies", [False, True])
def test_one_of_a_cluster_with_nothing_else_to_do_counts_what_another_one_is_slow_with(
    clock: Clock, copies: bool
) -> None:
    """Worker 1 takes 1000 seconds for an image and the other 5; it has one of 8, which is then its last."""
    kept, began = Watched(900), clock.now
    world = World(clock, lambda place, name, hand: 5.0 if place else 1000.0, copies=copies)
    counted(world, kept, [("a0", "a1"), *((name,) for name in "bcdefgh")])
    assert kept.names == ["a0", "a1", *"bcdefgh"] and kept.pixels == 900 and not kept.failed
    assert clock.now - began < 100 if copies else clock.now - began > 1000
    assert world.lost() == copies, "what the slow one was writing is removed"
    assert len(world.hired) == 2, "nobody is started for nothing"


def test_the_first_of_two_ends_the_other_one_whoever_it_is(clock: Clock) -> None:
    """The strips of worker 2 take 30 seconds, of worker 1 12: a copy of what it began 10 seconds before is slower.

    Joining comes after all strips are told of; nobody else has one by then, who would write it when it is joined.
    """
    kept = Watched(140)
    held: list[set[str]] = []
    world = World(clock, lambda place, name, hand: 30.0 if place else 12.0, copies=True)
    keep = kept.keep

    def look(name: str, value: str) -> None:
        held.append({each.device for each in world.hired if each.busy > clock.now and each.ended is None})
        keep(name, value)

    kept.keep = look  # type: ignore[method-assign]
    counted(world, kept, [["a"], *in_strips("large", 4)])
    assert kept.values == ["a", "large joined"] and kept.pixels == 140
    assert held[-1] == set()


def test_a_task_is_slow_that_takes_more_than_twice_as_long_as_others_by_their_pixels(clock: Clock) -> None:
    """Worker 1 takes 100 seconds for each, worker 2 150, and each is given the next one when it begins with one.

    So worker 1 has a, c, e for 100, 200, 200 seconds and nothing more to do after 300; worker 2 has b and d for 150 and
    300, and f from 150 on: for 300 seconds when it ends, which is less than twice the median of 200.
    """
    kept, world = Watched(600), World(clock, lambda place, name, hand: 150.0 if place else 100.0, copies=True)
    counted(world, kept, [(name,) for name in "abcdef"])
    assert kept.names == [*"abcdef"] and not world.lost(), "nobody was ended as the slower of two"


def test_a_task_that_takes_far_longer_than_others_is_counted_twice(clock: Clock) -> None:
    """Worker 2 stands still with `e` (as for an hour); a worker takes 100 seconds for a task and begins it at once.

    So it is counted twice when it has taken 200 to 500 seconds (others waited for the one before them), in 100 more.
    """
    took: list[float] = []

    def takes(place: int, name: str, hand: Any) -> float:
        if name == "e":
            took.append(clock.now)
        return 3600.0 if name == "e" and len(took) == 1 else 100.0

    kept, world = Watched(700), World(clock, takes, copies=True)
    counted(world, kept, [(name,) for name in "abcdefg"])
    assert kept.names == [*"abcdefg"] and len(took) == 2
    assert 200 <= took[1] - took[0] <= 500 and world.lost()


def test_pace_is_of_pixels_and_weighs_large_tasks_more() -> None:
    """A raster of 1,000 pixels took 100 seconds, 0.1 a pixel; 100 small ones of one pixel 5 seconds each."""
    pace = Pace()
    assert pace.slow_after(10**9) == LEAST_SECONDS, "nothing is known"
    pace.note(100.0, 1000)
    for _ in range(100):
        pace.note(5.0, 1)
    assert pace.slow_after(1000) == pytest.approx(200)
    assert pace.slow_after(1) == LEAST_SECONDS
    pace.note(5.0, 0)
    for _ in range(101):
        pace.note(0.5, 1)
    assert pace.slow_after(1000) == pytest.approx(1000), "of the last tasks alone: 0.5 a pixel"


def test_joining_is_slow_after_what_counting_would_have_taken_twice(clock: Clock) -> None:
    """Two strips of 10 pixels took 100 seconds each; their joining, which tells nothing of others, 400 for 20."""
    tasks = OpenTasks(Task(number, unit) for number, unit in enumerate(in_strips("large", 2)))  # type: ignore[arg-type]
    for number in range(2):
        each = tasks.next(1)
        assert each is not None
        tasks.give(each)
        clock.now += 100
        tasks.tell(("large", number), Found("large", number))
    joint = tasks.next(1)
    assert joint is not None
    tasks.give(joint)
    clock.now += 399
    assert tasks.slow() is None
    clock.now += 1
    assert tasks.slow() is joint


def test_a_copy_goes_on_where_the_first_worker_ends(clock: Clock) -> None:
    """Worker 1 ends 15 seconds after it was given `last`, 5 after worker 2 was; nobody is given it a third time."""
    given: list[int] = []

    def takes(place: int, name: str, hand: Any) -> float:
        if name != "last":
            return 1.0
        given.append(place)
        if place == given[0]:
            hand.plan(clock.now + 15, None)
            return HANGS
        return 20.0

    kept, began = Watched(200), clock.now
    counted(World(clock, takes, copies=True), kept, [("a",), ("last",)])
    assert kept.names == ["a", "last"] and sorted(given) == [0, 1] and clock.now - began < 40 and kept.pixels == 200


def test_what_one_of_two_has_told_is_not_shown_as_under_way_at_the_other_one(clock: Clock) -> None:
    """Worker 1 has all pixels of its two images after 20 seconds, and writes them for 100; the copy tells of one first.

    `Watched` holds the progress to what there is.
    """
    kept = Watched(300)
    world = World(clock, lambda place, name, hand: 10.0, writes=lambda place: 0.0 if place else 100.0, copies=True)
    counted(world, kept, [("a", "b"), ("c",)])
    assert kept.names == ["a", "b", "c"] and kept.pixels == 300


def test_a_task_that_is_given_again_may_be_copied_again(clock: Clock) -> None:
    tasks = OpenTasks([Task(0, [Image("a")])])  # type: ignore[list-item]
    each = tasks.next(1)
    assert each is not None
    for _ in range(2):
        tasks.give(each)
        assert tasks.slow() is None
        clock.now += 11
        assert tasks.slow() is each
        tasks.give(each)
        assert each.copied and tasks.slow() is None
        tasks.give_back(each)
        assert tasks.next_again() is each and not each.copied


@pytest.mark.parametrize("copies", [False, True])
@pytest.mark.parametrize("killer", [0, 1, 2])
def test_an_image_takes_none_of_its_unit_with_it(clock: Clock, copies: bool, killer: int) -> None:
    """`killer` ends its worker before anything is told of the unit, however it is ordered: it alone fails.

    `done` is of an earlier run, and its pixels are shown with the others'; those of `killer` are not.
    """
    unit = ["a", "b"]
    unit.insert(killer, "killer")
    kept = Watched(600, "done")
    given: list[set[str]] = []

    def takes(place: int, name: str, hand: Any) -> float:
        held = {source.name for each in hand.tasks for source in each.task.unit}
        given.append(held)
        return DIES if "killer" in held and name in unit else 5.0

    counted(World(clock, takes, copies=copies), kept, [("first",), ("done", *unit), ("last",)])
    assert kept.names == ["first", "a", "b", "last"]
    assert [(each.name, each.error) for each in kept.failed] == [
        (
            "killer",
            "the processes that counted it ended, twice with others and then alone (the last by signal 9), as without "
            "memory; lower max_memory",
        )
    ]
    assert {"killer"} in given and kept.pixels == 500


def test_one_of_a_unit_that_is_left_when_two_workers_have_ended_fails_at_once(clock: Clock) -> None:
    """All others are told of by then: there is none that it could be mistaken for."""
    kept, world = Watched(300), World(clock, lambda place, name, hand: DIES if name == "killer" else 5.0)
    counted(world, kept, [("a", "killer"), ("c",)], workers=1)
    assert kept.names == ["a", "c"] and [each.name for each in kept.failed] == ["killer"] and len(world.hired) == 2
    assert "ended, twice (the last by signal 9)" in kept.failed[0].error


@pytest.mark.parametrize("seed", range(60))
def test_each_image_is_recorded_once_in_its_order_whatever_happens(clock: Clock, seed: int) -> None:
    """Workers are of any speed; each image may end or hang one worker, and `deadly` ones do so each time."""
    rng = random.Random(seed)
    units: list[Any] = []
    for number in range(rng.randint(1, 12)):
        kind = rng.choice(["one", "two", "strips"])
        name = f"{number:02}{rng.choice(['', '', '', 'once', 'deadly'])}"
        if kind == "strips":
            units += in_strips(name, rng.randint(1, 6))
        else:
            units.append([Image(name), *([Image(f"{name}b")] if kind == "two" else [])])
    done = {source.name for unit in units if len(unit) == 2 for source in unit[:1] if rng.random() < 0.3}
    struck: set[str] = set()

    def takes(place: int, name: str, hand: Any) -> float:
        if "deadly" in name or ("once" in name and name not in struck):
            struck.add(name)
            return rng.choice([HANGS, DIES])
        return rng.choice([0.5, 5.0, 5.0, 100.0])

    kept = Watched(sum(source.pixels for unit in units for source in unit), *done)
    world = World(clock, takes, writes=lambda place: rng.choice([0.0, 0.0, 50.0]), copies=rng.random() < 0.7)
    counted(world, kept, units, workers=rng.randint(1, 4))
    names = list(dict.fromkeys(source.name for unit in units for source in unit if source.name not in done))
    failed = [each.name for each in kept.failed]
    assert kept.names == [name for name in names if name not in failed]
    assert sorted(failed) == sorted(set(failed)) and set(failed) >= {name for name in names if "deadly" in name}
    if not failed:
        assert kept.pixels == kept.expected


def no_model(place: int, error: Exception, first: list[int]) -> Exception | None:
    """An error at each place but one."""
    first.append(place)
    return error if place else None


def test_a_worker_that_cannot_start_while_others_count_is_left_out(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Worker 1 is ready first; the place of worker 2 is tried three times."""
    error, tried = ValueError("node b does not see the model"), list[int]()
    kept = Watched(2000)
    world = World(clock, lambda place, name, hand: 1.0, lambda place: no_model(place, error, tried))
    counted(world, kept, [(f"{each:02}",) for each in range(20)])
    assert kept.names == [f"{each:02}" for each in range(20)] and not kept.failed
    assert tried == [0, 1, 1, 1] and len(world.avoided) == 3
    assert (
        "worker 2 cannot count, and the run goes on without it (its place stays empty): node b does not" in caplog.text
    )


@pytest.mark.parametrize("fails", [1, 2, 3, 9])
def test_a_worker_that_cannot_start_before_another_one_is_ready_is_tried_again_then(
    clock: Clock, caplog: pytest.LogCaptureFixture, fails: int
) -> None:
    """Worker 1 tells that it cannot start before worker 2 has begun; three times in all, it is left out."""
    tried: list[int] = []

    def starts(place: int) -> Exception | None:
        tried.append(place)
        return None if place or tried.count(0) > fails else ValueError("node a does not see the model")

    kept = Watched(2000)
    world = World(clock, lambda place, name, hand: 1.0, starts)
    counted(world, kept, [(f"{each:02}",) for each in range(20)])
    assert kept.names == [f"{each:02}" for each in range(20)] and not kept.failed
    assert tried == [0, 1] + [0] * min(fails, 2)
    assert caplog.text.count("(another one is started in its place as soon as one is ready): node a") == 1
    assert caplog.text.count("(its place stays empty): node a") == (fails > 2)
    assert any(hand.place == 0 and hand.served for hand in world.hired) == (fails < 3)


def test_what_keeps_all_workers_from_starting_ends_the_run_without_another_try(clock: Clock) -> None:
    tried: list[int] = []

    def starts(place: int) -> Exception:
        tried.append(place)
        return ValueError(f"no model at {place}")

    with pytest.raises(ValueError, match="no model at"):
        counted(World(clock, lambda place, name, hand: 1.0, starts), Watched(200), [("a",), ("b",)])
    assert tried == [0, 1]


def test_the_error_of_workers_that_cannot_start_is_the_run_s_when_none_is_left(clock: Clock) -> None:
    """Worker 1 counts one image and ends; whoever comes in its place cannot start."""
    tried: list[int] = []

    def starts(place: int) -> Exception | None:
        tried.append(place)
        return ValueError("no model") if len(tried) > 1 else None

    world = World(clock, lambda place, name, hand: DIES if name == "b" else 1.0, starts)
    with pytest.raises(ValueError, match="no model"):
        counted(world, Watched(300), [("a",), ("b",), ("c",)], workers=1)
    assert len(tried) == 4


def test_where_none_has_ever_been_ready_the_first_error_is_the_run_s(clock: Clock) -> None:
    """Worker 1 hangs, and is waited for."""
    world = World(clock, lambda place, name, hand: 1.0, lambda place: ValueError("no model") if place else HANGS)
    with pytest.raises(ValueError, match="no model"):
        counted(world, Watched(200), [("a",), ("b",)])
    assert all(hand.ended is not None for hand in world.hired), "nobody is left behind"


def test_a_worker_that_hangs_while_it_starts_is_left_out(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    kept = Watched(200)
    world = World(clock, lambda place, name, hand: 31 * MINUTE, lambda place: HANGS if place else None)
    counted(world, kept, [("a",), ("b",)])
    assert kept.names == ["a", "b"] and not kept.failed
    assert "worker 2 makes its network ready, and has told nothing for 5 minutes" in caplog.text
    assert (
        "the process of worker 2 ended while it started (silence for 30 minutes, launcher.silent_minutes), if it was "
        "at work, a greater launcher.silent_minutes gives it the time: the same command goes on"
    ) in caplog.text
