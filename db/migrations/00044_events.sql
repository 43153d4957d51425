-- +goose Up

-- The outbox: what has happened and was not told yet. Each of these happens to a file once;
-- rank is the order in which they do.
create table events (
    file_id varchar not null,
    kind    varchar not null,
    rank    integer not null,
    payload varchar not null,
    state   varchar not null default 'waiting',
    tries   integer not null default 0,
    reason  varchar not null default '',
    created bigint not null,
    due     bigint not null,
    primary key (file_id, kind)
);
create index events_due on events (state, due);

-- +goose Down

drop table events;
