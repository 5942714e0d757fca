"""`odradek trace`: a conversation as a tree, as a diagram, as JSON."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from support.cli import here, produced, refused

from odradek import ActorSystem, Append, SqliteLog, event
from odradek.cli.formats.trace_mermaid import mermaid_lines
from odradek.cli.formats.trace_text import trace_json, trace_lines
from odradek.simulation import SeededRuntime
from odradek_domain.replay.message_trace import follow_messages
from odradek_events import Decision, MemoryLog
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import Catalogue
from odradek_events.trace import trace

ELSEWHERE = Catalogue()


@event("CliTraceThing", version=1, catalogue=ELSEWHERE)
class Thing(msgspec.Struct, frozen=True):
    """An event that the command knows nothing of."""

    name: str


MOMENT = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One order of tea, read and committed by billing; then a batch of three, read by nobody."""
    path = tmp_path_factory.mktemp("tracing") / "orders.db"
    runtime = SeededRuntime(strategy="fifo")  # on threads, the topic is sometimes created before the producer
    with (
        ActorSystem.open(path, runtime=runtime, progress_interval=3600.0) as system,
        system.producer("till") as producer,
    ):
        producer.send("orders", "tea", correlation_id="order-17").result()
        with system.consumer("billing-1", "billing") as consumer:
            consumer.subscribe(["orders"])
            consumer.poll()
            consumer.commit()
        producer.send_batch("orders", ["1", "2", "3"], correlation_id="order-18").result()
    with SqliteLog(path, codec=Codec(ELSEWHERE)) as opened:
        recorded_at = opened.head().recorded_at
        assert recorded_at is not None
        unknown = Append(stream="thing/1", events=[Thing("a;b")], decisions=(Decision(1, "strange", ""),))
        opened.append([unknown], recorded_at)
    return path


def words(line: str) -> list[str]:
    """Return what a line of the tree says, without its branches and what follows the stream."""
    return re.sub(r"[├│└─]", " ", line).split()[:4]


def test_the_tree_goes_from_the_send_to_the_commit(log: Path) -> None:
    outcome = here("trace", log, "order-17")
    headline, *lines = outcome.lines
    assert outcome.code == 0
    assert headline == "Conversation order-17: 3 events"
    assert [[word for word in words(line) if not word.startswith("(")] for line in lines] == [
        ["send", "->", "topic/orders"],
        ["register", "producer", "->", "producer/till"],
        ["0", "ProducerRegistered", "producer/till", "0"],
        ["create", "topic", "->", "topic/orders"],
        ["1", "TopicCreated", "topic/orders", "0"],
        ["2", "MessageProduced", "topic/orders", "1"],
        ["10", "MessageConsumed", "consumer/billing-1", "4"],
        ["11", "OffsetCommitted", "group/billing", "3"],
    ]
    assert [line.index(words(line)[0]) for line in lines] == [3, 6, 9, 6, 9, 6, 9, 12]
    assert "partition=0" in lines[5]
    assert "value=tea" in lines[5]
    assert "timestamp=" not in outcome.text


def test_a_conversation_is_found_by_position_by_message_by_event_and_by_its_beginning(log: Path) -> None:
    known = here("trace", log, "order-17")
    event_id = here("log", log, "--json", "--after", 0, "--limit", 1).json["event_id"]
    for named in (["--at", 2], ["--message", "orders/0/0"], [event_id], ["order-17"]):
        assert here("trace", log, *named).text.replace("  <- asked for", "") == known.text
    assert here("trace", log, "--message", "orders/0/3").lines[0] == "Conversation order-18: 3 events"
    assert here("trace", log, "stra").lines[0] == "Conversation strange: 1 event"


def test_an_event_of_an_unknown_type_is_shown_as_it_is_stored(log: Path) -> None:
    outcome = here("trace", log, "strange")
    assert outcome.lines[1].startswith("└─ command -> thing/1 (")
    assert outcome.lines[2].endswith("CliTraceThing  thing/1 0  name=a;b")
    assert here("trace", log, "strange", "--json").json["nodes"][1]["event"] == {
        "type": "CliTraceThing",
        "name": "a;b",
    }


def test_what_is_beyond_the_limit_is_counted(log: Path) -> None:
    lines = here("trace", log, "order-18", "--limit", 2).lines
    assert lines[0] == "Conversation order-18: 3 events"
    assert lines[1].endswith(": 1 event of it not shown")
    assert lines[-1] == "1 event not shown; --limit 3 shows all"
    assert here("trace", log, "order-18", "--limit", 2, "--json").json["omitted"] == 1
    assert "1 event not shown" in here("trace", log, "order-18", "--limit", 2, "--format", "mermaid").text


def test_the_message_asked_for_is_shown_and_marked_whatever_is_left_out(tmp_path: Path) -> None:
    path = produced(tmp_path / "many.db", "orders", b"".join(b"%d\n" % number for number in range(150)))
    asked = ["trace", path, "--message", "orders/0/149"]
    headline, *lines = here(*asked).lines
    marked = [line for line in lines if line.endswith("  <- asked for")]
    assert len(marked) == 1
    assert "offset=149" in marked[0]
    assert headline.endswith(": 152 events")
    assert sum("MessageProduced" in line for line in lines) == 98
    assert any(line.endswith(": 52 events of it not shown") for line in lines)
    assert lines[-1] == "52 events not shown; --limit 152 shows all"
    assert "not shown" not in here(*asked, "--limit", 152).text

    found = here(*asked, "--json").json
    assert found["asked"] in [node.get("position") for node in found["nodes"]]
    assert [node["omitted"] for node in found["nodes"] if node["kind"] == "command"] == [52, 0, 0]
    diagram = here(*asked, "--limit", 1, "--format", "mermaid").lines
    assert_is_a_diagram(diagram)
    assert "MessageProduced 0/149" in diagram[-2]
    assert diagram[-2].endswith("asked for")
    assert diagram[-1].strip().endswith("limit 152 shows all")


def test_what_is_left_out_before_the_message_asked_for_is_in_no_note_of_the_diagram(log: Path) -> None:
    lines = here("trace", log, "--message", "orders/0/3", "--limit", 2, "--format", "mermaid").lines
    notes = [line.strip() for line in lines if "MessageProduced" in line]
    assert notes == [
        "Note over p1: MessageProduced 0/1#44; position 14",
        "Note over p1: MessageProduced 0/3#44; position 16#44; asked for",
    ]


def test_json_is_a_list_of_nodes_that_name_their_parents(log: Path) -> None:
    found = here("trace", log, "order-17", "--json").json
    assert (found["correlation_id"], found["event_count"], found["omitted"]) == ("order-17", 3, 0)
    nodes = found["nodes"]
    assert [node["number"] for node in nodes] == list(range(8))
    assert [(node["parent"], node.get("command") or node["type"]) for node in nodes] == [
        (None, "send"),
        (0, "register producer"),
        (1, "ProducerRegistered"),
        (0, "create topic"),
        (3, "TopicCreated"),
        (0, "MessageProduced"),
        (5, "MessageConsumed"),
        (6, "OffsetCommitted"),
    ]
    assert nodes[5]["event"]["value"] == "dGVh"
    assert nodes[6]["correlation_id"] != "order-17"


# -- the diagram ------------------------------------------------------------------------------------------------------

ALIAS = r"p\d+"
TEXT = r"(?:[\w ./]|#\d+;)+"  # nothing here has a meaning in Mermaid
GRAMMAR = re.compile(
    rf"    (?:(?:participant|actor) {ALIAS} as {TEXT}|{ALIAS}->>{ALIAS}: {TEXT}|Note over {ALIAS}: {TEXT})"
)


def assert_is_a_diagram(lines: list[str]) -> None:
    """Check every line against the few forms that are used, that no block is closed, and that aliases are declared."""
    first, *others = lines
    assert first == "sequenceDiagram"
    declared = set(re.findall(rf"(?:participant|actor) ({ALIAS}) as", "\n".join(others)))
    for line in others:
        assert GRAMMAR.fullmatch(line), line
        assert not re.search(r"\bend\b", line, re.IGNORECASE), line
        assert set(re.findall(rf"\b{ALIAS}\b", line.split(":")[0].split(" as ")[0])) <= declared


def test_the_diagram_shows_who_asked_whom_in_the_order_of_the_log(log: Path) -> None:
    lines = here("trace", log, "order-17", "--format", "mermaid").lines
    assert_is_a_diagram(lines)
    assert [line.strip() for line in lines[1:]] == [
        "participant p0 as producer/till",
        "participant p1 as topic/orders",
        "participant p2 as consumer/billing#45;1",
        "participant p3 as group/billing",
        "Note over p0: ProducerRegistered#44; position 0",
        "p0->>p1: create topic",
        "Note over p1: TopicCreated#44; position 1",
        "p0->>p1: send",
        "Note over p1: MessageProduced 0/0#44; position 2",
        "p1->>p2: MessageConsumed 0/0#44; position 10",
        "p2->>p3: OffsetCommitted 0/1#44; position 11",
    ]


def test_events_of_one_type_are_one_note(log: Path) -> None:
    lines = here("trace", log, "order-18", "--format", "mermaid").lines
    assert lines[-1].strip() == "Note over p1: 3 MessageProduced#44; positions 14 to 16"


def test_a_commit_that_covers_several_messages_is_one_arrow(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    with ActorSystem.open(path) as system, system.producer("till") as producer:
        producer.send_batch("orders", ["1", "2", "3"], correlation_id="order-19").result()
        with system.consumer("billing-1", "billing") as consumer:
            consumer.subscribe(["orders"])
            consumer.poll()
            consumer.commit()
    lines = here("trace", path, "order-19", "--format", "mermaid").lines
    assert sum("MessageConsumed" in line for line in lines) == 3
    assert sum("OffsetCommitted" in line for line in lines) == 1


@pytest.mark.parametrize(
    "name",
    ["end", "End of", "a;b", "a#b", "a:b", "a->>b", "%%", "(x)", "loop", "Bäume 🧵", '"', "<br/>", "p0", "x" * 200],
)
def test_no_name_breaks_the_diagram(name: str) -> None:
    log = MemoryLog(Codec(ELSEWHERE))
    log.append([Append(stream=f"thing/{name}", events=[Thing(name)], decisions=(Decision(1, name),))], MOMENT)
    log.append(
        [Append(stream=f"{name}/2".replace("//", "/"), events=[Thing("")], decisions=(Decision(1, name),))], MOMENT
    )
    found = trace(log, name)
    lines = list(mermaid_lines(found))
    assert_is_a_diagram(lines)
    assert lines[1].strip() == "actor p0 as client"


def test_a_tree_deeper_than_any_recursion_is_drawn_and_written() -> None:
    log = MemoryLog(Codec(ELSEWHERE))
    for number in range(1200):
        decided = (Decision(1, "talk", f"{number - 1}/0"),)
        log.append([Append(stream="thing/1", events=[Thing("x")], commit_id=str(number), decisions=decided)], MOMENT)
    found = trace(log, "talk", limit=2000, follow=follow_messages)
    assert len(list(trace_lines(found))) == 2401
    assert msgspec.json.encode(trace_json(found)).count(b'"parent"') == 2400
    assert sum("Note over" in line for line in mermaid_lines(found)) == 1200


# -- mistakes ---------------------------------------------------------------------------------------------------------


def test_what_is_not_there_is_one_sentence_and_one_code(log: Path, tmp_path: Path) -> None:
    refused(
        here("trace", log, "nobody"),
        6,
        "no event has the event id or correlation id prefix 'nobody'",
        "odradek log LOG --json",
    )
    refused(here("trace", log, "order-1"), 6, "'order-17'", "'order-18'")
    refused(here("trace", log, "--at", 10**6), 6, "position 1000000")
    refused(here("trace", log, "--message", "orders/0/99"), 6)
    refused(here("trace", log, "--message", "orders/5/0"), 6)
    refused(here("trace", log, "--message", "nothing/0/0"), 6, "nothing")
    refused(here("trace", log, ""), 6)
    refused(here("trace", tmp_path / "no.db", "x"), 3)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["order-17", "--at", "0"],
        ["--at", "0", "--message", "orders/0/0"],
        ["--message", "orders"],
        ["--message", "a b/0/0"],
        ["--message", "orders/0/-1"],
        ["order-17", "--json", "--format", "mermaid"],
        ["order-17", "--format", "svg"],
        ["order-17", "--limit", "0"],
    ],
)
def test_wrong_usage_is_said_to_be_that(log: Path, arguments: list[str]) -> None:
    refused(here("trace", log, *arguments), 2)
