-- +goose Up

-- Bytes of all parts that were sent to the store under a number, whatever became of them: what a request
-- sent that failed lies there until the upload ends, and counts.
alter table uploads add column sent bigint not null default 0;
update uploads set sent = coalesce((select sum(p.size) from upload_parts p where p.upload_id = uploads.id), 0)
    where state in ('open', 'completing', 'stored');
create index uploads_of_identity on uploads (account_id, user_id) where state <> 'recorded' and state <> 'deleted';

-- +goose Down

drop index uploads_of_identity;
alter table uploads drop column sent;
