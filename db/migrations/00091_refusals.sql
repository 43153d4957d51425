-- +goose Up

-- Why the content of a direct upload was refused, after the request that completed it had its answer. It is told to the
-- client's next request, as long as the row of the ended upload is kept.
alter table uploads add column refusal varchar not null default '';

-- +goose Down

alter table uploads drop column refusal;
