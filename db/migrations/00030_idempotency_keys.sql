-- +goose Up

-- The upload that stands for an Idempotency-Key of one identity.
create table idempotency_keys (
    owner     varchar not null,
    key       varchar not null,
    upload_id varchar not null,
    expires   bigint not null,
    primary key (owner, key)
);
create index idempotency_keys_expires on idempotency_keys (expires);

-- +goose Down

drop table idempotency_keys;
