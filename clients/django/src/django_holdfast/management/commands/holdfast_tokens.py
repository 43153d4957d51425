from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from django_holdfast import tokens


class Command(BaseCommand):
    help = "Writes all tokens of users to the Redis that Holdfast reads: at the beginning, and after Redis was emptied."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{tokens.write_all()} tokens are in Redis.")
