"""Tokens of signed-in users, in the Redis that Holdfast reads.

The key of a user's token is its PBKDF2 digest (see digest), the value a dict with user_id and account_id, which
Django's cache writes as a pickle; the key of a public form's token is the token itself. Holdfast's settings must agree:
DJANGO_SECRET_KEY is SECRET_KEY, KEY_PREFIX_REDIS what the cache puts before its keys (":1:" by default).

A token is valid while its row exists in the database: a SessionToken, or a row of one of HOLDFAST["TOKEN_MODELS"].
Redis is updated when the transaction is committed. `manage.py holdfast_tokens` writes all tokens again.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone

from . import conf
from .models import SessionToken

_SESSION_KEY = "_holdfast_token"


def digest(token: str) -> str:
    """The key of a user's token in Redis, without the prefix."""
    rounds = conf.token_iterations()
    return hashlib.pbkdf2_hmac("sha256", token.encode(), settings.SECRET_KEY.encode(), rounds, 32).hex()


def of_session(request: HttpRequest) -> str:
    """The token of the signed-in user's session, for `Authorization: Bearer` or the cookie `token`.

    It is made at the login, and made again if it is gone: after a change of the password, for example.
    """
    user = request.user
    if not isinstance(user, AbstractBaseUser) or not user.is_active:
        raise PermissionError("Nobody is signed in.")
    token = request.session.get(_SESSION_KEY)
    row = SessionToken.objects.filter(digest=digest(token), user_id=user.pk).first() if token else None
    if row is None or not _is_current(row, user):
        return start_session(request, user)
    lifetime = timedelta(seconds=request.session.get_expiry_age())
    if row.expires_at < timezone.now() + lifetime / 2:  # using the session extends it
        row.expires_at = timezone.now() + lifetime
        row.save(update_fields=["expires_at"])
    elif conf.cache().get(row.digest) is None:  # Redis was emptied
        _write_when_committed(row)
    return str(token)


def start_session(request: HttpRequest, user: AbstractBaseUser) -> str:
    """Makes a token for a new session, and ends the one that the session had."""
    end_session(request)
    token = secrets.token_urlsafe(32)
    expires_at = timezone.now() + timedelta(seconds=request.session.get_expiry_age())
    SessionToken.objects.create(
        digest=digest(token), user_id=user.pk, session_hash=_session_hash(user), expires_at=expires_at
    )
    request.session[_SESSION_KEY] = token
    return token


def end_session(request: HttpRequest) -> None:
    """Ends the token of a session."""
    token = request.session.pop(_SESSION_KEY, None)
    if token:
        SessionToken.objects.filter(digest=digest(token)).delete()


def user_of(token: str) -> AbstractBaseUser | None:
    """Returns the active user with this token."""
    row = SessionToken.objects.select_related("user").filter(digest=digest(token)).first()
    if row is not None:
        return row.user if _is_current(row, row.user) else None
    for model in conf.token_models():
        found: Any = model._default_manager.select_related("user").filter(key=token).first()
        if found is not None:
            return found.user if found.user.is_active else None
    return None


def make_public(account_id: int, *, embedded: bool = False, timeout: int = 24 * 3600) -> str:
    """Makes the token of a public form (8 characters) or an embedded one (32), valid for so many seconds."""
    token = secrets.token_urlsafe(24 if embedded else 6)
    conf.cache().set(token, {"account_id": account_id}, timeout)
    return token


def end_public(token: str) -> None:
    """Ends the token of a form."""
    conf.cache().delete(token)


def write_all() -> int:
    """Writes all tokens to Redis, and removes those that have expired. Returns how many were written."""
    written = 0
    SessionToken.objects.filter(expires_at__lte=timezone.now()).delete()
    models: list[type[Model]] = [SessionToken, *conf.token_models()]
    for model in models:
        for row in model._default_manager.select_related("user").iterator():
            written += _write(row)
    return written


def saved(row: Model) -> None:
    """A row with a token was saved: the token is written to Redis after the commit."""
    _write_when_committed(row)


def deleted(row: Model) -> None:
    """A row with a token was deleted. The token ends at once; if Redis can't be reached, the deletion fails.

    It is removed again after the commit: another process may have seen the row and written the token meanwhile.
    """
    key = _digest_of(row)
    conf.cache().delete(key)
    transaction.on_commit(lambda: conf.cache().delete(key), using=row._state.db)


def user_saved(user: AbstractBaseUser) -> None:
    """A user was saved: tokens end when the user may not sign in any more, those of sessions with the password, too."""
    for row in SessionToken.objects.filter(user_id=user.pk):
        if not _is_current(row, user):
            row.delete()
    for model in conf.token_models():
        for other in model._default_manager.filter(user=user):
            saved(other) if user.is_active else deleted(other)


def _write_when_committed(row: Model) -> None:
    # robust: a login must not fail because Redis is away. of_session and holdfast_tokens write it later.
    transaction.on_commit(lambda: _write_pk(type(row), row.pk, row._state.db), using=row._state.db, robust=True)


def _write_pk(model: type[Model], pk: Any, using: str | None) -> None:
    row = model._default_manager.using(using).select_related("user").filter(pk=pk).first()
    if row is not None:
        _write(row)


def _write(row: Any) -> bool:
    user, expires_at = row.user, getattr(row, "expires_at", None)
    left = None if expires_at is None else int((expires_at - timezone.now()).total_seconds())
    if not user.is_active or (left is not None and left <= 0):
        return False
    value = {"user_id": conf.user_id_of(user), "account_id": conf.account_of(user)}
    conf.cache().set(_digest_of(row), value, left)
    # It may have been deleted meanwhile, before it was written.
    if not type(row)._default_manager.using(row._state.db).filter(pk=row.pk).exists():
        conf.cache().delete(_digest_of(row))
        return False
    return True


def _digest_of(row: Any) -> str:
    return str(row.digest) if isinstance(row, SessionToken) else digest(row.key)


def _is_current(row: SessionToken, user: AbstractBaseUser) -> bool:
    return user.is_active and row.expires_at > timezone.now() and row.session_hash == _session_hash(user)


def _session_hash(user: AbstractBaseUser) -> str:
    return user.get_session_auth_hash() if hasattr(user, "get_session_auth_hash") else ""
