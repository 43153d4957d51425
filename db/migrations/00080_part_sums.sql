-- +goose Up

-- The CRC32 of parts. The version before wrote " crc32" behind the id of a multipart upload whose parts have
-- one, and the CRC32 behind the tag of each: such rows stay as they are (see multipart in db/parts.go), since its replicas
-- may write them beside ours.
alter table uploads add column multipart_sums boolean not null default false;
alter table upload_parts add column crc32 varchar not null default '';

-- +goose Down
select 1;
