from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.core import checks
from django.db.models import Model
from django.db.models.signals import post_delete, post_save


class HoldfastConfig(AppConfig):
    name = "django_holdfast"
    label = "holdfast"
    verbose_name = "Holdfast"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import conf
        from .models import SessionToken

        user_logged_in.connect(_logged_in, dispatch_uid="holdfast")
        user_logged_out.connect(_logged_out, dispatch_uid="holdfast")
        post_save.connect(_user_saved, sender=get_user_model(), dispatch_uid="holdfast")
        models: list[type[Model]] = [SessionToken, *conf.token_models()]
        for model in models:
            post_save.connect(_token_saved, sender=model, dispatch_uid=f"holdfast {model._meta.label}")
            post_delete.connect(_token_deleted, sender=model, dispatch_uid=f"holdfast {model._meta.label}")
        checks.register(_check_cache)


def _logged_in(sender: Any, request: Any, user: Any, **_: Any) -> None:
    from . import tokens

    if hasattr(request, "session"):
        tokens.start_session(request, user)


def _logged_out(sender: Any, request: Any, **_: Any) -> None:
    from . import tokens

    if hasattr(request, "session"):
        tokens.end_session(request)


def _user_saved(sender: Any, instance: Any, created: bool, update_fields: Any = None, **_: Any) -> None:
    from . import tokens

    # A login saves last_login alone.
    if not created and (update_fields is None or set(update_fields) - {"last_login"}):
        tokens.user_saved(instance)


def _token_saved(sender: Any, instance: Any, raw: bool = False, **_: Any) -> None:
    from . import tokens

    if not raw:  # a fixture: its user may not be there yet
        tokens.saved(instance)


def _token_deleted(sender: Any, instance: Any, **_: Any) -> None:
    from . import tokens

    tokens.deleted(instance)


def _check_cache(**_: Any) -> list[checks.CheckMessage]:
    from . import conf

    backend = type(conf.cache())
    if "redis" in f"{backend.__module__}.{backend.__name__}".lower():
        return []
    return [
        checks.Warning(
            f"Tokens are written to {backend.__name__}, where Holdfast can't read them.",
            hint="HOLDFAST['CACHE'] names one of CACHES that is in the Redis of Holdfast's AUTH_REDIS_URL.",
            id="holdfast.W001",
        )
    ]
