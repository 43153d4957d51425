-- +goose Up

-- A guest is the user that the token names, and a token is the same whatever it was given for.
delete from idempotency_keys where owner like 'guest:%' and exists (
    select 1 from idempotency_keys u where u.key = idempotency_keys.key and u.owner = replace(idempotency_keys.owner, 'guest:', 'user:'));
update idempotency_keys set owner = replace(replace(replace(owner, 'guest:', 'user:'), 'public:', 'token:'), 'service:', 'token:');

-- +goose Down
select 1;
