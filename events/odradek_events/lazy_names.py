"""Import the names of a package on first use (PEP 562).

A package re-exports the names of its modules, but a program rarely needs all of them: catching an export's errors
should not load SQLite. Such a package imports the names for type checkers only, and uses `lazy_names` at run time:

    if TYPE_CHECKING:
        from exports.errors import NotAnExport
        from exports.files import write
    else:
        __getattr__, __dir__ = lazy_names(__name__, "errors", "files")

A name cannot be lazy if a module of the package has the same name: once that module is imported, it is an attribute of
the package, and Python does not call `__getattr__`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(package: str, *modules: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` for a package whose `__all__` lists names from these of its modules.

    A name is looked up in the modules in order, importing each: list a module before those that import it.
    """

    def get(name: str) -> Any:
        namespace = vars(sys.modules[package])
        if name in namespace["__all__"]:
            for module in modules:
                found = import_module(f"{package}.{module}")
                if name in found.__all__:
                    value = namespace[name] = getattr(found, name)
                    return value
        raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=sys.modules[package])

    def names() -> list[str]:
        namespace = vars(sys.modules[package])
        return sorted({*namespace, *namespace["__all__"]})

    return get, names
