from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models


class SessionToken(models.Model):
    """A session's token for Holdfast. Only its digest is stored, which is also the token's key in Redis."""

    digest = models.CharField(max_length=64, primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    # Changes with the user's password, and ends the token as it ends the session.
    session_hash = models.CharField(max_length=128)
    expires_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(db_index=True)

    objects: ClassVar[models.Manager[SessionToken]]

    def __str__(self) -> str:
        return f"{self.digest[:8]}... of user {self.user_id}"
