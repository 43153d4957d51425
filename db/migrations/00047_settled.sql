-- +goose Up

-- The last of an unbroken row of leases, from the first one on, each of which ended with no write to the
-- object's key under way: who has the one behind it may write there, everybody else beside it.
alter table uploads add column settled bigint not null default 0;
-- When the store is to be looked through for what was written beside a file: null is never.
alter table uploads add column tidy_at bigint null;
create index uploads_untidy on uploads (tidy_at) where tidy_at is not null;
-- How often an import has begun to write the object of a file. What was begun before this was counted
-- may still be under way.
alter table imports add column attempts integer not null default 0;
update imports set attempts = 1 where state <> 'done';

-- +goose Down

drop index uploads_untidy;
alter table uploads drop column settled;
alter table uploads drop column tidy_at;
alter table imports drop column attempts;
