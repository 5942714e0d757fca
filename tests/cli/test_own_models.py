"""`odradek --module`: every command that reads a log knows the user's own event types and aggregates."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.cli import Outcome, odradek, refused

EVENTS = """
import msgspec
from odradek import event

@event("Priced", tags=("item:{item}",))
class Priced(msgspec.Struct, frozen=True):
    item: str
    cents: int
"""
AGGREGATES = """
from my_events import Priced
from odradek import Aggregate, aggregate

@aggregate("item")
class Item(Aggregate):
    def __init__(self, id):
        super().__init__()
        self.name, self.prices, self._seen = id, [], 0

    def _priced(self, event):
        if event.cents == 13:
            raise ValueError("no price of 13")
        self.prices.append(event.cents)

    @property
    def price(self):
        return self.prices[-1]

    appliers = {Priced: _priced}
"""
WRITER = """
from datetime import UTC, datetime
from my_events import Priced
from odradek import ActorSystem, Append, open_log

with ActorSystem.open("shop.db") as system:
    system.create_topic("orders")
with open_log("shop.db") as log:
    for item, cents in (("tea", 300), ("jam", 500), ("tea", 350), ("pie", 13), ("tea", 370)):
        log.append([Append(stream=f"item/{item}", events=[Priced(item, cents)])], datetime(2100, 1, 1, tzinfo=UTC))
"""
FAILURE = "at position 4 (Priced) its aggregate raised ValueError('no price of 13'); fix the model"
OTHERS = {
    "empty.py": "import odradek\nodradek.ActorSystem\n",
    "failing.py": "1 / 0\n",
    "leaving.py": "raise SystemExit(3)\n",
    "second.py": AGGREGATES,
    "pack/__init__.py": "from pack import parts\n",
    "pack/parts.py": EVENTS.replace("Priced", "Packed"),
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with modules of models, and a log of a topic and three items, one of which cannot be folded."""
    place = tmp_path_factory.mktemp("shop")
    (place / "pack").mkdir()
    for name, content in {"my_events.py": EVENTS, "my_models.py": AGGREGATES, "write.py": WRITER, **OTHERS}.items():
        (place / name).write_text(content)
    subprocess.run([sys.executable, "write.py"], cwd=place, check=True, timeout=60)
    return place


def run(shop: Path, *arguments: object) -> Outcome:
    """Run a command in the directory of the models, with them."""
    return odradek("--module", "my_models", *arguments, place=shop)


def test_state_prints_own_aggregates_and_names_the_one_that_fails(shop: Path) -> None:
    outcome = run(shop, "state", "shop.db")
    refused(outcome, 3, f"'item/pie' cannot be folded: {FAILURE}")
    words = [line.split() for line in outcome.lines]
    assert ["item/tea", "2", "name=tea", "price=370", "prices.size=3"] in [line[:5] for line in words]
    assert ["orders", "0", "0", "0", "0"] in words
    assert f"item/pie   {FAILURE}" in outcome.lines
    assert "Other streams" not in outcome.text


def test_state_prints_own_aggregates_as_json(shop: Path) -> None:
    found = run(shop, "state", "shop.db", "--json", "--at", "4").json
    without = odradek("state", "shop.db", "--json", "--at", "4", place=shop).json
    assert found["aggregates"]["item/tea"] == {
        "name": "tea",
        "price": 350,
        "prices.size": 2,
        "prices[0]": 300,
        "prices[1]": 350,
    }
    assert found["failures"] == {"item/pie": FAILURE}
    assert found["digest"] == without["digest"]
    assert without["aggregates"].keys() == {"topic/orders"}
    assert without["failures"] == {}


def test_diff_compares_own_aggregates_field_by_field(shop: Path) -> None:
    outcome = run(shop, "diff", "shop.db", 1, 5)
    refused(outcome, 3, f"'item/pie' cannot be folded: {FAILURE}")
    tea = outcome.lines.index("item/tea")
    assert outcome.lines[tea + 1 :] == [
        "  version: 0 -> 2",
        "  price: 300 -> 370",
        "  prices.size: 1 -> 3",
        "  prices[1]: - -> 350",
        "  prices[2]: - -> 370",
    ]
    assert f"  failure: - -> {FAILURE}" in outcome.lines
    assert run(shop, "diff", "shop.db", 0, 3, "--json").code == 0


def test_verify_folds_own_aggregates_and_reports_a_failure_as_a_mistake_and_not_as_damage(shop: Path) -> None:
    outcome = run(shop, "verify", "shop.db")
    refused(outcome, 3, "shop.db is sound, but 1 mistake in a model")
    assert outcome.lines[-1] == "sound"
    assert f"mistake in a model, which is not damage: 'item/pie' cannot be folded: {FAILURE}" in outcome.lines
    assert any(line.endswith(": 1 stream of types of your own or not registered here") for line in outcome.lines)


def test_every_other_command_knows_the_event_types(shop: Path) -> None:
    assert run(shop, "log", "shop.db", "--type", "Priced", "--limit", 1).lines[0].endswith("item=tea cents=300")
    assert run(shop, "verify", "shop.db", "--json").json["unknown_types"] == []
    assert odradek("verify", "shop.db", "--json", place=shop).json["unknown_types"] == ["Priced"]


def test_modules_may_be_repeated_and_be_packages(shop: Path) -> None:
    modules = ("--module", "pack", "--module", "my_models", "--module", "my_events")
    outcome = odradek(*modules, "state", "shop.db", "--at", 3, place=shop)
    assert (outcome.code, outcome.complaint) == (0, "")


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (
            "missing",
            "module 'missing' cannot be imported (ModuleNotFoundError: No module named 'missing'); give",
        ),
        ("my_models.py", "module 'my_models.py' cannot be imported"),
        ("", "module '' cannot be imported"),
        ("failing", "module 'failing' cannot be imported (ZeroDivisionError: division by zero)"),
        ("leaving", "module 'leaving' cannot be imported (SystemExit: 3)"),
        ("empty", "module 'empty' registers no event type and no aggregate; declare them with @odradek.event and"),
        ("json", "module 'json' registers no event type and no aggregate"),
        ("pathlib", "module 'pathlib' registers no event type and no aggregate"),
    ],
)
def test_a_module_that_gives_no_models_is_refused_before_the_log_is_read(shop: Path, module: str, words: str) -> None:
    refused(odradek("--module", module, "state", "missing.db", place=shop), 2, words)


def test_a_module_named_after_the_command_is_refused_with_its_place(shop: Path) -> None:
    outcome = odradek("state", "shop.db", "--module", "my_models", place=shop)
    refused(outcome, 2, "--module stands before the command: odradek --module MODULE COMMAND")


def test_two_aggregates_for_one_stream_type_are_refused(shop: Path) -> None:
    outcome = odradek("--module", "my_models", "--module", "second", "state", "shop.db", place=shop)
    refused(
        outcome, 2, "module 'second' cannot be imported", "already have an aggregate, my_models.Item, so second.Item"
    )


def test_modules_are_found_in_the_current_directory_even_if_python_does_not_look_there(shop: Path) -> None:
    command = [sys.executable, "-P", "-m", "odradek", "--module", "my_models", "state", "shop.db", "--at", "3"]
    done = subprocess.run(command, cwd=shop, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
