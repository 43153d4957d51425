"""The setting HOLDFAST, a dict: the only place that reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.cache import BaseCache, caches
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model
from django.utils.module_loading import import_string

_DEFAULTS: dict[str, Any] = {
    # The account of all users, or the path of a function that returns the account of a user.
    "ACCOUNT": None,
    # Which of CACHES is in the Redis of AUTH_REDIS_URL.
    "CACHE": "default",
    # AUTH_TOKEN_ITERATIONS.
    "TOKEN_ITERATIONS": 1,
    # Models whose rows are tokens, with `key` and `user`, such as "authtoken.Token" of Django REST framework.
    "TOKEN_MODELS": (),
    # The path of a function (caller, file_id) -> bool that decides whether the caller may read the file.
    "MAY_READ": None,
}


def _get(name: str) -> Any:
    given = getattr(settings, "HOLDFAST", {})
    unknown = sorted(set(given) - set(_DEFAULTS))
    if unknown:
        raise ImproperlyConfigured(f"HOLDFAST has no {', '.join(unknown)}; it has {', '.join(_DEFAULTS)}.")
    return given.get(name, _DEFAULTS[name])


def cache() -> BaseCache:
    return caches[_get("CACHE")]


def token_iterations() -> int:
    return int(_get("TOKEN_ITERATIONS"))


def token_models() -> list[type[Model]]:
    return [apps.get_model(name) for name in _get("TOKEN_MODELS")]


def account_of(user: Any) -> int:
    """Returns the account of a user: a number above 0, as Holdfast requires."""
    account = _get("ACCOUNT")
    if isinstance(account, str):
        account = import_string(account)(user)
    if not _is_id(account):
        raise ImproperlyConfigured(f"HOLDFAST['ACCOUNT'] gives {account!r}: a whole number above 0 is needed.")
    return int(account)


def user_id_of(user: Any) -> int:
    if not _is_id(user.pk):
        raise ImproperlyConfigured(f"The user {user.pk!r} has no whole number above 0 as primary key.")
    return int(user.pk)


def may_read() -> Callable[[Any, str], bool]:
    path = _get("MAY_READ")
    if not path:
        raise ImproperlyConfigured("HOLDFAST['MAY_READ'] names no function: nobody can say who may read a file.")
    function: Callable[[Any, str], bool] = import_string(path)
    return function


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31
