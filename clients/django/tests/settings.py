"""A Django project for the tests. REDIS_URL names a real Redis; DATABASE_URL a PostgreSQL, or it is SQLite."""

import os
from urllib.parse import urlsplit

SECRET_KEY = "a-secret-of-the-tests-a-secret-of-the-tests"
USE_TZ = True
STATIC_URL = "/static/"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
AUTH_USER_MODEL = "demo.User"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "rest_framework",
    "rest_framework.authtoken",
    "django_holdfast",
    "demo",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

_database = urlsplit(os.environ.get("DATABASE_URL", ""))
if _database.scheme:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": _database.hostname,
            "PORT": _database.port,
            "USER": _database.username,
            "PASSWORD": _database.password or "",
            "NAME": _database.path.strip("/"),
        }
    }
else:
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}

REDIS_URL = os.environ["REDIS_URL"]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
HOLDFAST = {
    "ACCOUNT": "demo.models.account_of",
    "TOKEN_MODELS": ["authtoken.Token"],
    "MAY_READ": "demo.models.may_read",
}
STORAGES = {
    "default": {
        "BACKEND": "django_holdfast.storage.HoldfastStorage",
        # Each test class has a service of its own.
        "OPTIONS": {"url": "http://127.0.0.1:1/files", "token": "none"},
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
