-- +goose Up

-- The lists of files, newest first: of a user, and of an account.
create index files_of_user on files (user_id, account_id, created_at, file_id);
create index files_of_account on files (account_id, created_at, file_id);

-- +goose Down

drop index files_of_account;
drop index files_of_user;
