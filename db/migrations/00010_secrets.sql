-- +goose Up

-- What the replicas have to agree on and nobody was asked for: the key of signed links.
create table secrets (
    name    varchar primary key,
    value   bytea not null,
    created bigint not null
);

-- +goose Down

drop table secrets;
