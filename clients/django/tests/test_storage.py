"""HoldfastStorage with the real service: what Django's users do with a storage, and what breaks on the way."""

from __future__ import annotations

import io
import random
import tempfile
import time
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest import mock

import requests
from demo.models import Document
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import models
from django.db.migrations.writer import MigrationWriter
from django.test import SimpleTestCase, TestCase, override_settings
from django.utils import timezone
from holdfast import BadLine, Holdfast

from django_holdfast.service import CHUNK, HoldfastError, Unavailable
from django_holdfast.storage import HoldfastStorage


def some(size: int) -> bytes:
    return random.Random(size).randbytes(size)


class WithService(TestCase):
    service: Holdfast
    token: str
    storage: HoldfastStorage

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.service = Holdfast()
        cls.addClassCleanup(cls.service.stop)
        cls.token = cls.service.token()
        cls.storage = HoldfastStorage(cls.service.url, cls.token)

    def listed(self) -> dict[str, Any]:
        answer = requests.get(f"{self.service.url}/", headers={"Authorization": f"Bearer {self.token}"}, timeout=30)
        return {found["id"]: found for found in answer.json()["files"]}


class Saving(WithService):
    def test_sizes(self) -> None:
        for size in (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK):
            with self.subTest(size=size):
                name = self.storage.save("data.bin", ContentFile(some(size)))
                self.assertEqual(self.storage.size(name), size)
                with self.storage.open(name) as opened:
                    self.assertEqual(opened.size, size)
                    self.assertEqual(opened.read(), some(size))

    def test_names_and_types(self) -> None:
        for given, kept, kind in (
            ("photo.jpg", "photo.jpg", "image/jpeg"),
            ("folders/mean/nothing/Überraschung für Zoë.pdf", "Überraschung_für_Zoë.pdf", "application/pdf"),
            ("हिन्दी.txt", "हिन्दी.txt", "text/plain"),
            ('a"b;c.txt', "a_b_c.txt", "text/plain"),
        ):
            with self.subTest(given=given):
                name = self.storage.save(given, ContentFile(b"x"))
                self.assertEqual(self.listed()[name]["name"], kept)
                self.assertEqual(self.storage.info(name).type.partition(";")[0], kind)

    def test_type_of_a_form(self) -> None:
        name = self.storage.save("no-extension", SimpleUploadedFile("x", b"x", "image/png"))
        self.assertEqual(self.storage.info(name).type, "image/png")

    def test_text_and_sources_without_a_size(self) -> None:
        class Stream(File):  # type: ignore[type-arg]
            def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
                yield b"first, "
                yield some(CHUNK)

        self.assertEqual(self.storage.size(self.storage.save("s", Stream(io.BytesIO()))), 7 + CHUNK)
        self.assertEqual(self.storage.open(self.storage.save("s", ContentFile("häh"))).read().decode(), "häh")

    def test_same_name_twice(self) -> None:
        first, second = (self.storage.save("a.txt", ContentFile(text)) for text in (b"1", b"2"))
        self.assertNotEqual(first, second)
        self.assertEqual([self.storage.open(name).read() for name in (first, second)], [b"1", b"2"])

    def test_source_that_fails_leaves_nothing(self) -> None:
        class Broken(File):  # type: ignore[type-arg]
            def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
                yield some(2 * CHUNK)
                raise OSError("the disk is gone")

        before = set(self.listed())
        with self.assertRaisesMessage(OSError, "the disk is gone"):
            self.storage.save("b", Broken(io.BytesIO()))
        self.assertEqual(set(self.listed()), before)

    def test_field(self) -> None:
        with mock.patch.object(Document._meta.get_field("file"), "storage", self.storage):
            document = Document.objects.create(file=SimpleUploadedFile("report.txt", b"all is well"))
            found = Document.objects.get(pk=document.pk)
            self.assertRegex(found.file.name or "", r"^[0-9a-f-]{36}$")
            self.assertEqual((found.file.size, found.file.read()), (11, b"all is well"))
            self.assertEqual(requests.get(found.file.url, timeout=30).content, b"all is well")
            found.file.delete()
            self.assertFalse(found.file)


class Reading(WithService):
    def test_ranges(self) -> None:
        content = some(3_000_000)
        with self.storage.open(self.storage.save("a", ContentFile(content))) as opened:
            for start, length in (
                (0, 10),
                (2_999_990, 10),
                (1_500_000, 400_000),
                (5, 1),
                (2_999_999, 5),
                (4_000_000, 1),
            ):
                opened.seek(start)
                self.assertEqual(opened.read(length), content[start : start + length], (start, length))
            opened.seek(-4, io.SEEK_END)
            opened.seek(2, io.SEEK_CUR)
            self.assertEqual((opened.tell(), opened.read()), (2_999_998, content[-2:]))
            self.assertEqual(b"".join(opened.chunks()), content)
            with self.assertRaises(ValueError):
                opened.seek(-1)

    def test_zip(self) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("one", some(500_000))
            archive.writestr("two", b"2")
        with self.storage.open(self.storage.save("a.zip", ContentFile(packed.getvalue()))) as opened:
            archive = zipfile.ZipFile(opened)
            self.assertEqual((archive.read("two"), archive.read("one")), (b"2", some(500_000)))

    def test_text(self) -> None:
        with self.storage.open(self.storage.save("a.txt", ContentFile("grün\nblau\n")), "r") as opened:
            self.assertEqual(list(opened), ["grün\n", "blau\n"])

    def test_a_file_is_not_changed(self) -> None:
        name = self.storage.save("a", ContentFile(b"x"))
        for mode in ("wb", "ab", "r+b", "w"):
            with self.assertRaisesMessage(ValueError, "can't be changed"):
                self.storage.open(name, mode)

    def test_missing(self) -> None:
        for ask in (self.storage.open, self.storage.size, self.storage.url, self.storage.get_modified_time):
            with self.assertRaises(FileNotFoundError):
                ask("6ba7b810-9dad-41d1-80b4-00c04fd430c8")

    def test_deleted_while_it_is_read(self) -> None:
        name = self.storage.save("a", ContentFile(some(CHUNK)))
        with self.storage.open(name) as opened:
            self.storage.delete(name)
            with self.assertRaises(FileNotFoundError):
                opened.read()


class AllElse(WithService):
    def test_exists_and_delete(self) -> None:
        name = self.storage.save("a", ContentFile(b"x"))
        self.assertTrue(self.storage.exists(name))
        self.storage.delete(name)
        self.storage.delete(name)  # no error, as Django's own
        self.assertFalse(self.storage.exists(name))
        self.assertFalse(self.storage.exists(""))
        with self.assertRaises(ValueError):
            self.storage.delete("")

    def test_link(self) -> None:
        name = self.storage.save("a.txt", ContentFile(b"linked"))
        url = self.storage.url(name)
        self.assertEqual(requests.get(url, timeout=30).content, b"linked")
        self.assertEqual(self.storage.url(name), url)  # is used again
        self.assertEqual(requests.get(self.storage._service.file_url(name), timeout=30).status_code, 401)
        inline = HoldfastStorage(self.service.url, self.token, link_disposition="inline")
        shown = requests.get(inline.url(name), timeout=30)
        self.assertTrue(shown.headers["Content-Disposition"].startswith("inline"), shown.headers)

    def test_link_that_is_about_to_end(self) -> None:
        storage = HoldfastStorage(self.service.url, self.token, link_expires_in=2)
        name = storage.save("a.txt", ContentFile(b"linked"))
        storage._links.add(name, "an-old-one", timezone.now() + timedelta(seconds=0.9))
        fresh = storage.url(name)
        self.assertNotEqual(fresh, "an-old-one")
        storage._links.add(name, "good", timezone.now() + timedelta(hours=1))
        self.assertEqual(storage.url(name), "good")

    def test_deleted_file_has_no_link(self) -> None:
        name = self.storage.save("a.txt", ContentFile(b"linked"))
        url = self.storage.url(name)
        self.storage.delete(name)
        self.assertNotEqual(requests.get(url, timeout=30).status_code, 200)
        with self.assertRaises(FileNotFoundError):
            self.storage.url(name)

    def test_plain_url(self) -> None:
        storage = HoldfastStorage(
            self.service.url, self.token, signed_links=False, public_url="https://files.example.org/files/"
        )
        self.assertEqual(storage.url("a/b c"), "https://files.example.org/files/a%2Fb%20c")

    def test_time(self) -> None:
        name = self.storage.save("a", ContentFile(b"x"))
        self.assertLess(abs(self.storage.get_modified_time(name) - timezone.now()), timedelta(minutes=5))
        self.assertEqual(self.storage.get_created_time(name), self.storage.get_modified_time(name))
        with override_settings(USE_TZ=False):
            self.assertIsNone(self.storage.get_modified_time(name).tzinfo)

    def test_netrc_replaces_no_token(self) -> None:
        with tempfile.NamedTemporaryFile("w") as netrc, mock.patch.dict("os.environ", NETRC=netrc.name):
            netrc.write("machine 127.0.0.1 login somebody password else")
            netrc.flush()
            self.assertEqual(self.storage.size(self.storage.save("a", ContentFile(b"x"))), 1)

    def test_list(self) -> None:
        names = {self.storage.save("a", ContentFile(b"x")) for _ in range(3)}
        folders, files = self.storage.listdir("")
        self.assertEqual(folders, [])
        self.assertLessEqual(names, set(files))

    def test_field_that_is_too_short(self) -> None:
        field = models.FileField(storage=self.storage, max_length=20)
        with self.assertRaises(SuspiciousFileOperation):
            field.storage.save("a", ContentFile(b"x"), max_length=field.max_length)

    def test_token_stays_out_of_migrations(self) -> None:
        field = models.FileField(storage=self.storage)
        with self.assertRaisesMessage(ValueError, "Cannot serialize"):
            MigrationWriter.serialize(field)

    def test_refusals(self) -> None:
        storage = HoldfastStorage(self.service.url, "hf_wrong", patience=5)
        for ask in (lambda: storage.save("a", ContentFile(b"x")), lambda: storage.exists("12345678")):
            with self.assertRaises(HoldfastError) as refused:
                ask()
            self.assertEqual(refused.exception.status, 401)
        with self.assertRaises(HoldfastError) as refused:
            HoldfastStorage(self.service.url, self.service.token("--user", "9")).delete(
                self.storage.save("a", ContentFile(b"x"))
            )
        self.assertEqual((refused.exception.status, refused.exception.code), (403, "FILE_002"))


class WithoutService(SimpleTestCase):
    def test_options(self) -> None:
        wrong: list[dict[str, Any]] = [{}, {"url": "http://h/files"}, {"token": "t"}, {"url": "h/files", "token": "t"}]
        for options in wrong:
            with self.assertRaises(ImproperlyConfigured):
                HoldfastStorage(**options)
        with self.assertRaises(ImproperlyConfigured):
            HoldfastStorage("http://h/files", "t", link_disposition="none")

    def test_nobody_is_there(self) -> None:
        began = time.monotonic()
        with self.assertRaises(Unavailable):
            HoldfastStorage("http://127.0.0.1:1/files", "t", patience=0.5).exists("12345678")
        self.assertLess(time.monotonic() - began, 30)


class OverABadLine(SimpleTestCase):
    def setUp(self) -> None:
        self.line = BadLine()
        self.addCleanup(self.line.close)
        service = Holdfast(public_url=f"http://127.0.0.1:{self.line.port}/files")
        self.addCleanup(service.stop)
        self.line.to = service.port
        self.storage = HoldfastStorage(f"http://127.0.0.1:{self.line.port}/files", service.token())

    def test_cut(self) -> None:
        """No connection carries more than three megabytes, and all arrives."""
        self.line.limit = 3_000_000
        content = some(20_000_000)
        name = self.storage.save("film.mp4", ContentFile(content))
        self.assertGreater(self.line.cut, 5)
        self.line.cut = 0
        with self.storage.open(name) as opened:
            self.assertEqual(opened.read(), content)
        self.assertGreater(self.line.cut, 5)
        self.assertEqual(len(self.storage.listdir("")[1]), 1)

    def test_damaged(self) -> None:
        """A file whose bytes were changed on the way never exists."""
        self.line.damage = b"the original"
        for size in (0, CHUNK):
            with self.assertRaises(HoldfastError) as refused:
                self.storage.save("a", ContentFile(some(size) + b"the original"))
            self.assertEqual((refused.exception.status, refused.exception.code), (422, "UPLOAD_007"))
        self.assertEqual(self.storage.listdir("")[1], [])
