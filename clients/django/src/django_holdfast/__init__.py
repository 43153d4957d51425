"""Holdfast as the file storage of a Django project.

- django_holdfast.storage.HoldfastStorage is a backend for STORAGES.
- django_holdfast.tokens writes the tokens of signed-in users to the Redis that Holdfast reads.
- django_holdfast.permission answers Holdfast's requests whether a caller may read a file.
"""
