-- +goose Up

-- The ETag of a file whose SHA-256 became known after clients had seen the file: the store's tag at that time. It must not
-- change with the sum, or whoever resumes a download would take the file for another one. Null: the SHA-256 is the ETag.
alter table files add column entity_tag varchar null;

-- +goose Down

alter table files drop column entity_tag;
