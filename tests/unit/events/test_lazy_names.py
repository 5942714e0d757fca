"""Packages import their names on first use, so that importing a package is cheap."""

from __future__ import annotations

import subprocess
import sys

import pytest

import odradek_events
from odradek_events import exchange


def loaded_by(program: str) -> set[str]:
    """Run a program in a separate process, and return the modules that it loaded."""
    command = [sys.executable, "-c", f"{program}\nimport sys\nprint(*sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


def test_importing_error_classes_of_exports_and_views_loads_no_store() -> None:
    loaded = loaded_by(
        "from odradek_events.exchange import NotAnExport\nfrom odradek_events.projections import NotViews"
    )
    assert "odradek_events.exchange.errors" in loaded
    assert loaded.isdisjoint({"sqlite3", "odradek_events.log.port", "odradek_events.exchange.jsonl"})


def test_using_a_name_imports_only_the_modules_it_needs() -> None:
    loaded = loaded_by("from odradek_events.exchange import export_log")
    assert "odradek_events.exchange.jsonl" in loaded
    assert "odradek_events.exchange.parquet" not in loaded


def test_importing_the_package_loads_the_event_types_and_no_store() -> None:
    loaded = loaded_by("import odradek_events")
    assert "odradek_events.types.topics" in loaded, "every log can read its events"
    assert loaded.isdisjoint({"sqlite3", "odradek_events.log.port"})


@pytest.mark.parametrize("package", ["odradek_events", "odradek_domain", "odradek"])
def test_using_a_package_loads_no_test_framework_and_no_parquet(package: str) -> None:
    loaded = loaded_by(f"import {package}\nfor name in {package}.__all__: getattr({package}, name)")
    assert loaded.isdisjoint({"hypothesis", "pyarrow", "pytest"})
    assert ("odradek_events.log.faulty" in loaded) == (package == "odradek")  # which offers worlds with faults


def test_dir_lists_names_before_they_are_used() -> None:
    program = "import odradek_events.exchange as exchange; assert 'export_log' in dir(exchange)"
    assert "odradek_events.exchange.jsonl" not in loaded_by(program)
    assert set(odradek_events.__all__) <= set(dir(odradek_events))


def test_an_unknown_name_raises_attribute_error_as_in_any_module() -> None:
    with pytest.raises(AttributeError, match=r"module 'odradek_events.exchange' has no attribute 'eksport'") as refused:
        exchange.eksport  # type: ignore[attr-defined]  # noqa: B018  # the mistake under test
    assert (refused.value.name, refused.value.obj) == ("eksport", exchange)  # for Python's "Did you mean"
