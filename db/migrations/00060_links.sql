-- +goose Up

-- Signed links that are in force: who made each, as whom it opens the file. The id is half of the
-- SHA-256 of a secret that only the link has; sealed is what the maker came with, under a key made
-- of that secret, in base64. A link whose row is gone opens nothing.
create table links (
    id          varchar primary key,
    file_id     varchar not null references files (file_id) on delete cascade,
    kind        varchar not null,
    user_id     bigint not null,
    account_id  bigint not null,
    fingerprint varchar not null,
    groups      varchar not null,
    sealed      varchar not null,
    created     bigint not null,
    expires     bigint not null
);
create index links_by_file on links (file_id);
create index links_by_end on links (expires);

-- Files whose links of the version before, which have no row, were ended.
create table links_ended (
    file_id varchar primary key references files (file_id) on delete cascade,
    ended   bigint not null
);

-- +goose Down

drop table links_ended;
drop table links;
