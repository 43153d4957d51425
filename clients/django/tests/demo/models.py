"""A project with users of several accounts, and documents that are shared with some of them."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import models

from django_holdfast.permission import Caller


class User(AbstractUser):
    account = models.PositiveIntegerField(default=1)


def account_of(user: Any) -> int:
    return int(user.account)


class Document(models.Model):
    file = models.FileField(upload_to="folders/mean/nothing")
    readers = models.ManyToManyField(User)


def may_read(caller: Caller, file_id: str) -> bool:
    if caller.user is None:
        return caller.token == "a-guest"
    return Document.objects.filter(file=file_id, readers__pk=caller.user.pk).exists()
