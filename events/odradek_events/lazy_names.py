"""Names of a package that are imported when they are first used (PEP 562).

A package offers the names of its modules, but a program rarely needs all of them: to name the errors of an export it
should not have to load SQLite. Such a package shows its imports to type checkers, and leaves them to `lazy_names`:

    if TYPE_CHECKING:
        from exports.errors import NotAnExport
        from exports.files import write
    else:
        __getattr__, __dir__ = lazy_names(__name__, "errors", "files")

A name cannot be lazy if a module of the package has the same name: once that module is imported, the package has it as
an attribute, and `__getattr__` is not asked.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(package: str, *modules: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` for a package whose `__all__` names what these modules of it offer.

    A name is looked for in one module after the other, which imports them: put a module that others import first.
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
