-- +goose Up

-- How far a chore has come that is done in small steps.
alter table chores add column place varchar not null default '';

-- +goose Down

alter table chores drop column place;
