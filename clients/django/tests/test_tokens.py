"""Tokens in Redis: the real service reads what Django has written, and no longer what has ended."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any
from unittest import skipIf

import django
import requests
from demo.models import Document, User
from django.conf import settings
from django.contrib.auth import login, logout, update_session_auth_hash
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore
from django.core.cache import cache
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db import transaction
from django.http import HttpRequest
from django.test import LiveServerTestCase, TransactionTestCase, override_settings
from django.utils import timezone
from holdfast import Holdfast
from redis.exceptions import RedisError
from rest_framework.authtoken.models import Token

from django_holdfast import conf, tokens
from django_holdfast.models import SessionToken
from django_holdfast.storage import HoldfastStorage


def request_of(user: Any = None) -> HttpRequest:
    request = HttpRequest()
    request.session, request.user = SessionStore(), AnonymousUser()
    if user is not None:
        login(request, user)
    return request


def bearer(user: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.of_session(request_of(user))}"}


class WithUsers(TransactionTestCase):
    def setUp(self) -> None:
        cache.clear()
        self.anna = User.objects.create_user("anna", password="secret")
        self.bob = User.objects.create_user("bob", password="secret")


class Sessions(WithUsers):
    service: Holdfast

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.service = Holdfast()
        cls.addClassCleanup(cls.service.stop)

    def status(self, token: str, header: str = "Authorization", scheme: str = "Bearer") -> int:
        headers = {header: f"{scheme} {token}"}
        return requests.get(f"{self.service.url}/", headers=headers, timeout=30).status_code

    def test_login_and_logout(self) -> None:
        request = request_of(self.anna)
        token = tokens.of_session(request)
        self.assertEqual(self.status(token), 200)
        self.assertEqual(tokens.user_of(token), self.anna)
        self.assertEqual(tokens.of_session(request), token)
        logout(request)
        self.assertEqual(self.status(token), 401)
        self.assertIsNone(tokens.user_of(token))
        self.assertFalse(SessionToken.objects.exists())

    def test_each_session_has_its_own(self) -> None:
        one, other = request_of(self.anna), request_of(self.anna)
        first, second = tokens.of_session(one), tokens.of_session(other)
        self.assertNotEqual(first, second)
        logout(one)
        self.assertEqual((self.status(first), self.status(second)), (401, 200))

    def test_another_login_in_the_same_session(self) -> None:
        request = request_of(self.anna)
        first = tokens.of_session(request)
        login(request, self.anna)
        self.assertEqual((self.status(first), self.status(tokens.of_session(request))), (401, 200))

    def test_nobody_is_signed_in(self) -> None:
        with self.assertRaises(PermissionError):
            request = request_of()
            logout(request)
            tokens.of_session(request)

    def test_what_ends_all_tokens_of_a_user(self) -> None:
        for name, end in (
            ("deactivated", lambda: self.save(is_active=False)),
            ("another password", lambda: self.save(password="another")),
            ("deleted", lambda: self.anna.delete()),
        ):
            with self.subTest(name), transaction.atomic():
                self.anna = User.objects.create_user(name, password="secret")
                token = tokens.of_session(request_of(self.anna))
            self.assertEqual(self.status(token), 200, name)
            end()
            self.assertEqual(self.status(token), 401, name)
            self.assertIsNone(tokens.user_of(token))

    def save(self, **changes: Any) -> None:
        if password := changes.pop("password", None):
            self.anna.set_password(password)
        for name, value in changes.items():
            setattr(self.anna, name, value)
        self.anna.save()

    def test_password_changed_without_a_signal(self) -> None:
        token = tokens.of_session(request_of(self.anna))
        User.objects.filter(pk=self.anna.pk).update(password="another")
        self.assertIsNone(tokens.user_of(token))

    def test_own_password_changed(self) -> None:
        request = request_of(self.anna)
        old = tokens.of_session(request)
        self.anna.set_password("another")
        self.anna.save()
        update_session_auth_hash(request, self.anna)
        self.assertEqual((self.status(old), self.status(tokens.of_session(request))), (401, 200))

    def test_rolled_back(self) -> None:
        request = request_of()
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            login(request, self.anna)
            token = tokens.of_session(request)
            _ = 1 / 0
        self.assertEqual(self.status(token), 401)

    def test_made_and_ended_in_one_transaction(self) -> None:
        with transaction.atomic():
            request = request_of(self.anna)
            token = tokens.of_session(request)
            logout(request)
        self.assertEqual(self.status(token), 401)

    def test_deleted_while_it_is_written(self) -> None:
        token = tokens.of_session(request_of(self.anna))
        row = SessionToken.objects.select_related("user").get()
        SessionToken.objects.all()._raw_delete("default")  # without the signal: another process
        self.assertFalse(tokens._write(row))
        self.assertEqual(self.status(token), 401)

    def test_expiry(self) -> None:
        request = request_of(self.anna)
        token = tokens.of_session(request)
        row = SessionToken.objects.get()
        client = cache._cache.get_client()  # type: ignore[attr-defined]
        left = client.ttl(cache.make_key(row.digest))
        self.assertAlmostEqual(left, request.session.get_expiry_age(), delta=300)
        # The session was used since, and so lives longer.
        SessionToken.objects.update(expires_at=timezone.now() + timedelta(seconds=1000))
        self.assertEqual(tokens.of_session(request), token)
        self.assertGreater(SessionToken.objects.get().expires_at, timezone.now() + timedelta(days=7))
        SessionToken.objects.update(expires_at=timezone.now())
        self.assertIsNone(tokens.user_of(token))
        self.assertNotEqual(tokens.of_session(request), token)

    def test_redis_was_emptied(self) -> None:
        request = request_of(self.anna)
        token = tokens.of_session(request)
        rest = Token.objects.create(user=self.bob)
        cache.clear()
        self.assertEqual((self.status(token), self.status(rest.key)), (401, 401))
        self.assertEqual(tokens.of_session(request), token)
        self.assertEqual(self.status(token), 200)
        call_command("holdfast_tokens", stdout=open(os.devnull, "w"))  # noqa: SIM115
        self.assertEqual(self.status(rest.key), 200)

    def test_expired_ones_are_removed(self) -> None:
        request_of(self.anna)
        SessionToken.objects.update(expires_at=timezone.now())
        self.assertEqual(tokens.write_all(), 0)
        self.assertFalse(SessionToken.objects.exists())

    def test_rest_framework(self) -> None:
        token = Token.objects.create(user=self.anna)
        self.assertEqual(self.status(token.key), 200)
        self.assertEqual(tokens.user_of(token.key), self.anna)
        self.save(is_active=False)
        self.assertEqual(self.status(token.key), 401)
        self.assertIsNone(tokens.user_of(token.key))
        self.save(is_active=True)
        self.assertEqual(self.status(token.key), 200)
        token.delete()
        self.assertEqual(self.status(token.key), 401)

    def test_files_are_the_users(self) -> None:
        mine = HoldfastStorage(self.service.url, tokens.of_session(request_of(self.anna)))
        name = mine.save("a", ContentFile(b"mine"))
        self.assertTrue(HoldfastStorage(self.service.url, tokens.of_session(request_of(self.anna))).exists(name))
        theirs = HoldfastStorage(self.service.url, tokens.of_session(request_of(self.bob)))
        with self.assertRaises(OSError):
            theirs.open(name)

    def test_public_forms(self) -> None:
        for embedded, length in ((False, 8), (True, 32)):
            token = tokens.make_public(1, embedded=embedded)
            self.assertEqual(len(token), length)
            headers = {"X-Public-Authorization": f"Token {token}"}
            for status in (200, 401):
                sent = {"file": ("a.txt", b"from a form")}
                answer = requests.post(f"{self.service.url}/upload", files=sent, headers=headers, timeout=30)
                self.assertEqual(answer.status_code, status)
                tokens.end_public(token)


class Settings(WithUsers):
    def test_redis_is_away(self) -> None:
        gone = {
            "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1"}
        }
        with override_settings(CACHES=gone):
            with self.assertLogs("django", "ERROR"):  # but the login succeeds
                request = request_of(self.anna)
            with self.assertRaises(RedisError):  # what is still valid is not forgotten
                logout(request)
        self.assertEqual(SessionToken.objects.count(), 1)

    def test_wrong_settings(self) -> None:
        for setting in ({"ACCOUNT": None}, {"ACCOUNT": 0}, {"ACCOUNT": True}, {"ACCOUNT": "1"}, {"ACCOUNTS": 1}):
            with override_settings(HOLDFAST=setting), self.assertRaises((ImproperlyConfigured, ImportError)):
                conf.account_of(self.anna)
        self.anna.pk = "4b2e"
        with self.assertRaises(ImproperlyConfigured):
            conf.user_id_of(self.anna)

    def test_cache_that_is_no_redis(self) -> None:
        self.assertEqual(run_checks(), [])
        with override_settings(CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}):
            self.assertEqual([message.id for message in run_checks()], ["holdfast.W001"])

    def test_digest_is_what_the_service_computes(self) -> None:
        # With the secret and rounds of another Django: a value that was computed by another program.
        with override_settings(SECRET_KEY="django_secret_django_secret_django_secret"):
            self.assertEqual(
                tokens.digest("test-token"), "a2281848ed59932f1d5515d603aa35ebc66e0059cbdee78f661f0d10f7777f46"
            )
            with override_settings(HOLDFAST={"TOKEN_ITERATIONS": 100}):
                self.assertEqual(
                    tokens.digest("test-token"), "e4836f362d505d60a30e479ef806f4dee10f5d153d3ab7cb9865048f559b89cd"
                )


class Permission(LiveServerTestCase):
    """The service asks Django, whose function demo.models.may_read decides."""

    def setUp(self) -> None:
        cache.clear()
        self.service = Holdfast(backend=self.live_server_url, database=os.environ.get("HOLDFAST_DATABASE_URL", ""))
        self.addCleanup(self.service.stop)
        self.owner = User.objects.create_user("owner", password="secret")
        self.reader = User.objects.create_user("reader", password="secret")
        self.stranger = User.objects.create_user("stranger", password="secret", account=2)

    def read(self, name: str, headers: dict[str, str]) -> int:
        return requests.get(f"{self.service.url}/{name}", headers=headers, timeout=30).status_code

    def test_who_may_read(self) -> None:
        storage = HoldfastStorage(self.service.url, tokens.of_session(request_of(self.owner)))
        name = storage.save("a", ContentFile(b"x"))
        document = Document.objects.create(file=name)
        self.assertEqual(self.read(name, bearer(self.owner)), 200)
        self.assertEqual(self.read(name, bearer(self.reader)), 403)
        document.readers.add(self.reader, self.stranger)
        self.assertEqual(self.read(name, bearer(self.reader)), 200)
        self.assertEqual(self.read(name, bearer(self.stranger)), 403)  # of another account, whatever Django says
        self.assertEqual(self.read(name, {}), 401)
        form = {"X-Public-Authorization": f"Token {tokens.make_public(1)}"}
        self.assertEqual(self.read(name, form), 403)
        document.readers.clear()
        self.assertEqual(self.read(name, bearer(self.reader)), 403)

    def ask(self, headers: dict[str, str], data: str = "file_id=a", method: str = "POST") -> int:
        url = f"{self.live_server_url}/attachments/check-permission"
        headers = {"Content-Type": "application/x-www-form-urlencoded"} | headers
        return requests.request(method, url, headers=headers, data=data, timeout=30).status_code

    def test_questions_that_are_none(self) -> None:
        token = bearer(self.owner)
        guest = {"X-Guest-Authorization": "a-guest"}
        self.assertEqual(self.ask(token), 403)
        self.assertEqual(self.ask(guest), 204)
        self.assertEqual(self.ask({"X-Guest-Authorization": "another"}), 403)
        self.assertEqual(self.ask({}), 400)
        self.assertEqual(self.ask(token | guest), 400)
        for data in ("", "file_id=", "file_id=a&file_id=b", "file=a"):
            self.assertEqual(self.ask(guest, data), 400, data)
        self.assertEqual(self.ask({"Authorization": "Bearer unknown"}), 401)
        self.assertEqual(self.ask({"Authorization": "Bearer "}), 401)
        self.assertEqual(self.ask(guest, method="GET"), 405)

    @skipIf(django.VERSION < (5, 1), "there is no such middleware")
    def test_all_else_needs_a_login(self) -> None:
        strict = "django.contrib.auth.middleware.LoginRequiredMiddleware"
        with override_settings(MIDDLEWARE=[*settings.MIDDLEWARE, strict]):
            answer = self.client.post(
                "/attachments/check-permission", {"file_id": "a"}, headers={"X-Guest-Authorization": "a-guest"}
            )
        self.assertEqual(answer.status_code, 204)
