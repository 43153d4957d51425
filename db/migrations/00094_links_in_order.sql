-- +goose Up

-- A file's links are listed a piece at a time, oldest first.
drop index links_by_file;
create index links_by_file on links (file_id, created, id);

-- +goose Down

drop index links_by_file;
create index links_by_file on links (file_id);
