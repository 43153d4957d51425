-- +goose Up

-- Concatenation (tus 1.0.0): a partial upload waits for a final one, which names its
-- sources as ids divided by spaces.
alter table uploads add column partial boolean not null default false;
alter table uploads add column sources varchar not null default '';
-- Whoever repeats the request that made a final upload gets the same one.
create index uploads_sources on uploads (sources) where sources <> '';

-- The SHA-256 that the client says the file has.
alter table uploads add column claim bytea null;

-- Expiration (tus 1.0.0): how long an upload is kept after its last byte, in milliseconds.
alter table uploads add column ttl bigint not null default 86400000;
-- Uploads from before this rule get two days from their beginning.
update uploads set expires = created + 172800000 where state = 'open';
create index uploads_expires on uploads (expires) where state <> 'recorded';

-- A process renews all its leases with one statement.
create index uploads_held on uploads (lease_holder) where lease_holder <> '';

-- Work that one replica at a time does for all, such as sweeping.
create table chores (
    name   varchar primary key,
    holder varchar not null,
    until  bigint not null
);
