"""Holdfast's request whether a caller may read a file: POST {BACKEND_PRIVATE_URL}/attachments/check-permission.

Holdfast asks about files of the caller's own account which the caller does not own, with exactly one credential of
the caller. HOLDFAST["MAY_READ"] names the function that decides.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from . import conf, tokens

_HEADERS: dict[str, Literal["user", "guest", "public"]] = {
    "Authorization": "user",
    "X-Guest-Authorization": "guest",
    "X-Public-Authorization": "public",
}


@dataclass(frozen=True)
class Caller:
    """The caller that wants to read a file.

    A "user" has a token of this package, which this view has checked: user is set. A "guest" and a "public" form have
    the token that the project made for them. This view does not check it: the deciding function has to.
    """

    kind: Literal["user", "guest", "public"]
    token: str = field(repr=False)
    user: AbstractBaseUser | None = None


@csrf_exempt
@require_POST
def check_permission(request: HttpRequest) -> HttpResponse:
    """204: may read; 403: may not; 401: no user has this token; 400: not a request of Holdfast's."""
    given = [(kind, request.headers[name]) for name, kind in _HEADERS.items() if name in request.headers]
    file_ids = request.POST.getlist("file_id")
    if len(given) != 1 or len(file_ids) != 1 or not file_ids[0]:
        return HttpResponse("One credential and one file_id are needed.", status=400, content_type="text/plain")
    caller = _caller(*given[0])
    if caller is None:
        return HttpResponse(status=401)
    return HttpResponse(status=204 if conf.may_read()(caller, file_ids[0]) else 403)


# Django's LoginRequiredMiddleware (5.1) leaves it alone.
setattr(check_permission, "login_required", False)  # noqa: B010


def _caller(kind: Any, value: str) -> Caller | None:
    token = value.removeprefix("Bearer ").removeprefix("Token ").strip()
    if not token:
        return None
    if kind != "user":
        return Caller(kind, token)
    user = tokens.user_of(token)
    return Caller(kind, token, user) if user is not None else None
