-- +goose Up

-- A direct upload: its client sends the parts to the store itself, so that no part is in upload_parts. Its SHA-256 may be
-- computed after it became a file: until then hash_state is null.
alter table uploads add column direct boolean not null default false;
create index uploads_without_sum on uploads (id) where direct and state = 'recorded' and hash_state is null;

-- +goose Down

drop index uploads_without_sum;
alter table uploads drop column direct;
