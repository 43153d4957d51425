-- One text for both databases: SQLite takes any type name, and stores what it is given.
-- Times of our own tables are milliseconds since 1970 UTC by the database's clock.

-- +goose Up

-- The table of the Python service (alembic 5ba2db086f1a). An existing one is adopted as it is.
create table if not exists files (
    file_id      varchar primary key,
    size         bigint not null,
    content_type varchar not null,
    filename     varchar not null,
    user_id      integer null,
    account_id   integer not null,
    created_at   timestamptz not null default current_timestamp
);
create index if not exists ix_files_user_id on files (user_id);
create index if not exists ix_files_account_id on files (account_id);

-- Columns of ours have to be nullable: Django inserts rows with the seven old ones only.
alter table files add column object_bucket varchar null;
alter table files add column object_key varchar null;
alter table files add column etag varchar null;
alter table files add column sha256 bytea null;

create table uploads (
    id               varchar primary key,
    creator_kind     varchar not null,
    user_id          bigint not null,
    account_id       bigint not null,
    fingerprint      varchar not null,
    bucket           varchar not null,
    object_key       varchar not null,
    name             varchar not null,
    type             varchar not null,
    metadata         varchar not null,
    size             bigint not null,
    deferred         boolean not null,
    committed_offset bigint not null default 0,
    part_size        bigint not null,
    next_part        integer not null default 1,
    multipart_id     varchar not null default '',
    hash_state       bytea null,
    etag             varchar not null default '',
    state            varchar not null default 'open',
    lease_holder     varchar not null default '',
    lease_epoch      bigint not null default 0,
    lease_until      bigint not null default 0,
    created          bigint not null,
    expires          bigint null
);
-- What is on its way: the sweeper looks for what was cut short.
create index uploads_unfinished on uploads (state, id) where state <> 'recorded';

create table upload_parts (
    upload_id varchar not null references uploads (id),
    number    integer not null,
    "offset"  bigint not null,
    size      bigint not null,
    etag      varchar not null,
    primary key (upload_id, number)
);

create table upload_tails (
    upload_id  varchar not null references uploads (id),
    "offset"   bigint not null,
    size       bigint not null,
    object_key varchar not null,
    primary key (upload_id, "offset")
);

create table tokens (
    id         varchar primary key,
    hash       bytea not null unique,
    name       varchar not null,
    user_id    bigint not null,
    account_id bigint not null,
    created    bigint not null,
    expires    bigint null,
    revoked    bigint null
);
