-- +goose Up

-- Which of the visitors of a public form began the upload, as file.Identity.Visitor: no address can be read from it. It is
-- there while the upload is unfinished, to count those of each visitor. Empty: somebody else, or a version before this one.
alter table uploads add column visitor varchar not null default '';

-- +goose Down

alter table uploads drop column visitor;
