"""Stories of traced runs: who sent what to whom, and what readers need not see."""

from __future__ import annotations

import pykka
import pytest
from support.worlds import sell_and_bill

from odradek import ActorSystem
from odradek.simulation import Result, World
from odradek_pictures import Kind, Step, Story
from odradek_simulation.explaining import story_of


def shop(system: ActorSystem) -> None:
    """Sell once."""
    with system.producer("shop") as producer:
        producer.send("orders", b"tea").result()


def sell(system: ActorSystem, world: World) -> None:
    """Start a shop that sells once."""
    world.spawn(shop, system)


def traced(**options: object) -> Result:
    """Run the shop and record every step."""
    return World(5, trace=True, **options).run(sell).check()  # type: ignore[arg-type]  # options of a World


def told(story: Story, lane: str) -> list[tuple[Kind, str]]:
    """Return what a lane did."""
    return [(step.kind, step.label) for step in story.steps if step.lane == lane]


def step_of(story: Story, lane: str, label: str, kind: Kind) -> Step:
    """Return the first step of this kind."""
    return next(step for step in story.steps if (step.lane, step.label, step.kind) == (lane, label, kind))


def test_a_client_asks_waits_and_resumes_with_the_answer() -> None:
    story = story_of(traced())
    assert told(story, "shop") == [
        (Kind.RESUMED, "at its start"),
        (Kind.SENT, "LookUp"),
        (Kind.RESUMED, "with Reply ActorRef"),
        (Kind.SENT, "OpenProducer"),
        (Kind.RESUMED, "with Reply None"),
        (Kind.SENT, "Send"),
        (Kind.RESUMED, "with Reply list of Receipt"),
        (Kind.SENT, "CloseProducer"),
        (Kind.RESUMED, "with Reply None"),
        (Kind.SENT, "None"),
    ]


def test_an_answer_leads_to_the_client_that_waits_for_it() -> None:
    story = story_of(traced())
    answer = step_of(story, "topic/orders", "Reply list of Receipt", Kind.SENT)
    resumed = step_of(story, "shop", "with Reply list of Receipt", Kind.RESUMED)
    assert (answer.peer, resumed.cause) == ("shop", answer.number)


def test_a_handled_message_leads_back_to_its_sender() -> None:
    story = story_of(traced())
    handled = step_of(story, "topic/orders", "AppendBatch", Kind.HANDLED)
    assert story.sender(handled) == "producer/shop"
    assert step_of(story, "producer/shop", "start", Kind.HANDLED).cause is not None


def test_timers_fire_in_the_lane_of_their_actor() -> None:
    def wait(system: ActorSystem) -> None:
        with system.consumer("c") as consumer:
            consumer.subscribe(["orders"])
            consumer.poll(timeout=1.0)

    story = story_of(World(1, trace=True).run(lambda system, world: world.spawn(wait, system)).check())
    assert (Kind.TIMER, "Tick poll") in told(story, "consumer/c")
    assert told(story, "timers") == []


def test_a_client_that_slept_resumes_without_a_cause() -> None:
    def start(system: ActorSystem, world: World) -> None:
        world.spawn(world.sleep, 1.0, name="sleeper")

    resumed = step_of(story_of(World(trace=True).run(start)), "sleeper", "after waiting", Kind.RESUMED)
    assert resumed.cause is None


def test_details_are_payloads_without_types_and_addresses() -> None:
    class Plain:
        """Has a repr with an address."""

    class Sink(pykka.ThreadingActor):
        """Takes anything."""

    def start(system: ActorSystem, world: World) -> None:
        sink = world.start(Sink)
        for message in ("a text", ("named", 7), Plain(), None, sink):
            sink.tell(message)

    story = story_of(World(trace=True).run(start).check())
    seen = [(step.label, step.detail) for step in story.steps if step.lane == "Sink" and step.kind is Kind.HANDLED]
    assert seen[1:4] == [("'a text'", "'a text'"), ("named", "('named', 7)"), ("Plain", seen[3][1])]
    assert seen[4:] == [("None", ""), ("ActorRef", "Sink")]
    assert seen[3][1].endswith("Plain object>")
    send = step_of(story_of(traced()), "shop", "LookUp", Kind.SENT)
    assert send.detail == "stream='producer/shop'"


def test_infrastructure_is_in_the_background_also_after_a_crash() -> None:
    result = World(3, trace=True, faults="crash").run(sell_and_bill)
    assert result.crashes
    background = story_of(result).background
    assert {"DirectoryActor", "JournalActor", "JournalActor#2", "main", "start", "start#2"} <= {*background}
    assert not any("/" in lane for lane in background)


def test_faults_are_in_the_lane_that_they_strike() -> None:
    result = World(7, trace=True, faults="pause,clock-jump").run(sell_and_bill)
    faults = [step for step in story_of(result).steps if step.kind is Kind.FAULT]
    assert [(step.label, step.lane) for step in faults] == [(fault.kind, fault.target) for fault in result.faults]
    assert {"pause", "clock-jump"} == {step.label for step in faults}
    pause = next(step for step in faults if step.label == "pause" and step.until)
    assert story_of(result).step(pause.until or 0).lane == pause.lane
    assert pause.detail.startswith("for ")


def test_a_failed_check_ends_the_story() -> None:
    def start(system: ActorSystem, world: World) -> None:
        world.always(lambda state: "orders" not in state.topics, "no orders")
        world.spawn(shop, system)

    last = story_of(World(trace=True).run(start)).steps[-1]
    assert (last.kind, last.label, last.name) == (Kind.FAILED, "no orders", "")
    assert last.detail.startswith("the check returned False at position")


def test_a_run_that_was_not_traced_has_no_story() -> None:
    with pytest.raises(ValueError, match="pass trace=True"):
        story_of(World().run(sell))
