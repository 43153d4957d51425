-- +goose Up

-- What an account uses. It is changed in the transactions that create, record and delete,
-- so it always is the sum of what follows.
create table account_usage (
    account_id bigint primary key,
    bytes      bigint not null default 0,
    files      bigint not null default 0
);

-- Exceptions from QUOTA_BYTES and QUOTA_FILES: null is the setting, 0 is none.
create table account_quotas (
    account_id bigint primary key,
    max_bytes  bigint null,
    max_files  bigint null
);

-- What an unfinished upload has reserved. A final upload reserves no bytes: those of its
-- sources, which are given back when it is a file, are the same. A partial one is no file.
alter table uploads add column reserved bigint not null default 0;
alter table uploads add column slots integer not null default 0;
update uploads set reserved = case when sources <> '' then 0 when deferred then committed_offset else size end,
    slots = case when partial then 0 else 1 end
    where state in ('open', 'completing', 'stored');

-- The bytes that are counted for a file; null for a record of another program that was not
-- seen yet.
alter table files add column counted bigint null;
update files set counted = size;
create index files_uncounted on files (account_id) where counted is null;

insert into account_usage (account_id, bytes, files)
    select account_id, sum(bytes), sum(files) from (
        select account_id, counted as bytes, 1 as files from files
        union all select account_id, reserved, slots from uploads where state in ('open', 'completing', 'stored')) a
    group by account_id;

-- +goose Down

drop table account_usage;
drop table account_quotas;
drop index files_uncounted;
alter table uploads drop column reserved;
alter table uploads drop column slots;
alter table files drop column counted;
