-- +goose Up

-- What was brought over from another store: where it came from, and the file it became. An
-- import that was cut short goes on from here.
create table imports (
    source     varchar not null,
    account_id bigint not null,
    file_id    varchar not null,
    state      varchar not null default 'begun',
    reason     varchar not null default '',
    updated    bigint not null,
    primary key (source, account_id)
);
create unique index imports_files on imports (file_id);

-- +goose Down

drop table imports;
