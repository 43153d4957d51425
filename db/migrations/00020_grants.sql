-- +goose Up

-- Who brought a file, where it was no user: the fingerprint of the token. Nullable, since
-- other programs insert rows too.
alter table files add column uploader varchar null;

-- The groups of who has a local token, one on a line.
alter table tokens add column groups varchar not null default '';

-- To whom a file is open beside its owner, a row for each: kind is public, account, user,
-- group or token, and name says which user, group or token. A file without rows is private.
create table grants (
    file_id varchar not null references files (file_id) on delete cascade,
    kind    varchar not null,
    name    varchar not null,
    primary key (file_id, kind, name)
);
