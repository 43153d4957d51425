// Package djangotest tests clients/django: a real Django beside the real program, Redis and PostgreSQL.
package djangotest
