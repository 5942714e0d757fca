"""The gallery of bugs: sweeps find each bug, and nothing once it is fixed; tokens and pictures show what they say.

If a change of the product makes a token pass, `python docs/gallery/draw.py` draws the models again.
"""

from __future__ import annotations

import html
import re

import pytest
from draw import GALLERY, MODELS, README

from odradek.simulation import Target, load_target, sweep

SEEDS = 100
PAGE = README.read_text(encoding="utf-8")


def target(model: str, start: str) -> Target:
    """Return one of the two starts of a model."""
    return load_target(f"{model}:{start}")


def token(model: str) -> str:
    """Return the token that the page has for a model."""
    (found,) = re.findall(rf"^    odradek explain (\S+) -o {model}\.html$", PAGE, re.MULTILINE)
    return str(found)


def test_the_page_shows_ten_models_with_their_pictures_and_files() -> None:
    assert len(MODELS) == 10
    assert sorted(re.findall(r"!\[[^]]+\]\((\w+)\.svg\)", PAGE)) == MODELS
    assert sorted(re.findall(r"\[The model\]\((\w+)\.py\)", PAGE)) == MODELS


@pytest.mark.parametrize("model", MODELS)
def test_a_sweep_finds_the_bug(model: str) -> None:
    buggy = target(model, "buggy")
    runs = (buggy.world(seed, strategy="portfolio").run(buggy.start) for seed in range(SEEDS))
    assert any(run.failure is not None for run in runs)


@pytest.mark.parametrize("model", MODELS)
def test_the_same_sweep_finds_nothing_once_the_bug_is_fixed(model: str) -> None:
    report = sweep(target(model, "fixed").start, SEEDS)
    assert [(found.signature, found.message) for found in report.failures] == []


@pytest.mark.parametrize("model", MODELS)
def test_the_token_on_the_page_fails_as_its_picture_says(model: str) -> None:
    result = target(model, "buggy").repeat(token(model), lenient=True, trace=True)
    assert result.failure is not None
    assert result.trace is not None
    picture = html.unescape((GALLERY / f"{model}.svg").read_text(encoding="utf-8"))
    assert f"<title>{result.failure.signature}</title>" in picture
    clients = {step.task for step in result.trace if step.kind == "resumed"} - {"main", "start"}
    assert [client for client in clients if client.partition("#")[0] not in picture] == []
