"""One name with several signatures, told apart by the arguments, as in a C++ binding."""

from __future__ import annotations

import collections.abc
import inspect
import types
import typing
from typing import Any, Callable, Dict, Tuple

import numpy as np


def _fits(value: Any, kind: Any) -> bool:
    """Whether a binding would take ``value`` for a parameter of type ``kind``."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is collections.abc.Sequence:
        origin = list
    if origin is list:
        return isinstance(value, (list, tuple)) and all(_fits(item, inner[0]) for item in value)
    if origin is tuple:
        return isinstance(value, tuple) and all(map(_fits, value, inner))
    if origin is dict:
        return isinstance(value, dict) and all(
            _fits(key, inner[0]) and _fits(item, inner[1]) for key, item in value.items()
        )
    if kind is bool:
        return isinstance(value, (bool, np.bool_))
    if kind is int:
        return hasattr(value, "__index__") and not isinstance(value, np.ndarray)
    return kind is Any or isinstance(value, kind)


class Overloaded:
    """A method or constructor; ``choices`` are tried in their order.

    Calling it with arguments that fit no choice raises TypeError.
    """

    def __init__(self, *choices: Callable[..., Any]) -> None:
        self.choices = choices
        self._known: Dict[Callable[..., Any], Tuple[inspect.Signature, Dict[str, Any]]] = {}

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = f"{owner.__name__}.{name}"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        for choice in self.choices:
            if choice not in self._known:
                self._known[choice] = inspect.signature(choice), typing.get_type_hints(choice)
            signature, kinds = self._known[choice]
            try:
                bound = signature.bind(*arguments, **named)
            except TypeError:
                continue
            given = list(bound.arguments.items())[1:]  # the first one is self
            if all(_fits(value, kinds[name]) for name, value in given):
                return choice(*bound.args, **bound.kwargs)
        given_types = [type(value).__name__ for value in arguments[1:]]
        given_types += [f"{name}={type(value).__name__}" for name, value in named.items()]
        raise TypeError(f"{self._name}(): no signature takes ({', '.join(given_types)})")
