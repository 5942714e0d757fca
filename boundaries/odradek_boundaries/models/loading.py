"""Finds a model by name: one that is shipped, or a module of your own.

A module of your own has `model`, a Model or a function that returns one, or the three names `lab`, `boundaries` and
`workload`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from odradek_boundaries.boundary import Boundary
from odradek_boundaries.errors import InvalidModel
from odradek_boundaries.lab import Lab, Model
from odradek_boundaries.workload import Workload

__all__ = ["load_model", "shipped"]

_SHIPPED = "odradek_boundaries.models"


def shipped() -> list[str]:
    """Return the names of the models that come with the lab."""
    found = (info.name for info in iter_modules(import_module(_SHIPPED).__path__))
    return sorted(name for name in found if f"{_SHIPPED}.{name}" != __name__)


def load_model(name: str, parameters: Mapping[str, Any] | None = None) -> Model:
    """Return the model of this name, made with these parameters.

    Raises InvalidModel if there is no such module, if it has no model, or if the model does not take a parameter.
    """
    chosen = dict(parameters or {})
    place = f"{_SHIPPED}.{name}" if name in shipped() else name
    try:
        module = import_module(place)
    except Exception as error:  # the user's code may raise anything
        if isinstance(error, ModuleNotFoundError) and f"{place}.".startswith(f"{error.name}."):
            raise InvalidModel(
                f"there is no model {name!r}; use one of {', '.join(shipped())}, or a module that Python can import"
            ) from error
        raise InvalidModel(f"module {name!r} cannot be imported ({type(error).__name__}: {error}); fix it") from error
    found = getattr(module, "model", None)
    if callable(found):
        unknown = [each for each in chosen if each not in inspect.signature(found).parameters]
        if unknown:
            known = ", ".join(inspect.signature(found).parameters)
            raise InvalidModel(f"model {name!r} has no parameter {unknown[0]!r}; use one of {known or 'none'}")
        found = found(**chosen)
    elif chosen:
        raise InvalidModel(f"model {name!r} takes no parameters; leave out {', '.join(chosen)}")
    if found is None:
        found = _of_names(name, vars(module))
    if not isinstance(found, Model):
        raise InvalidModel(f"model of module {name!r} must be a Model, or a function that returns one, not {found!r}")
    return found


def _of_names(name: str, names: Mapping[str, Any]) -> Model:
    wanted = {"lab": Lab, "boundaries": list | tuple, "workload": Workload}
    missing = [each for each, kind in wanted.items() if not isinstance(names.get(each), kind)]
    if missing:
        raise InvalidModel(
            f"module {name!r} has no {missing[0]}; define lab = Lab(...), boundaries = [Boundary(...), ...] and "
            "workload = Workload(...), or a function model() that returns a Model"
        )
    boundaries = tuple(names["boundaries"])
    if not all(isinstance(each, Boundary) for each in boundaries):
        raise InvalidModel(f"boundaries of module {name!r} must be a list of Boundary, not {boundaries!r}")
    return Model(names["lab"], boundaries, names["workload"])
