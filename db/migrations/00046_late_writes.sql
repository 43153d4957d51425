-- +goose Up

-- When a deleted upload's objects were removed. What somebody was writing then may still land:
-- they are removed once more before the row goes, which is all that leads to them.
alter table uploads add column emptied bigint null;

-- +goose Down

alter table uploads drop column emptied;
