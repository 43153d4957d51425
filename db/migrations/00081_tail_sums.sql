-- +goose Up

-- The CRC32 of tails, with which they are compared when they are read back. Tails of the version before have none.
alter table upload_tails add column crc32 varchar not null default '';

-- +goose Down

alter table upload_tails drop column crc32;
