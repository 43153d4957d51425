-- What Holdfast 0.1.0 left in SQLite: a file with grants and a link, a file of a form, an upload sent by half, a partial
-- upload, two tokens and a quota.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE holdfast_migrations (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
INSERT INTO holdfast_migrations VALUES(1,0,1,'2026-11-29 10:52:38');
INSERT INTO holdfast_migrations VALUES(2,1,1,'2026-11-29 10:52:38');
INSERT INTO holdfast_migrations VALUES(3,2,1,'2026-11-29 10:52:38');
INSERT INTO holdfast_migrations VALUES(4,10,1,'2026-11-29 10:52:38');
INSERT INTO holdfast_migrations VALUES(5,20,1,'2026-11-29 10:52:38');
INSERT INTO holdfast_migrations VALUES(6,30,1,'2026-11-29 10:52:38');
INSERT INTO holdfast_migrations VALUES(7,40,1,'2026-11-29 10:52:38');
INSERT INTO holdfast_migrations VALUES(8,41,1,'2026-11-29 10:52:38');
INSERT INTO holdfast_migrations VALUES(9,42,1,'2026-11-29 10:52:38');
INSERT INTO holdfast_migrations VALUES(10,43,1,'2026-11-29 10:52:38');
INSERT INTO holdfast_migrations VALUES(11,44,1,'2026-11-29 10:52:38');
INSERT INTO holdfast_migrations VALUES(12,45,1,'2026-11-29 10:52:38');
INSERT INTO holdfast_migrations VALUES(13,46,1,'2026-11-29 10:52:38');
INSERT INTO holdfast_migrations VALUES(14,47,1,'2026-11-29 10:52:38');
INSERT INTO holdfast_migrations VALUES(15,48,1,'2026-11-29 10:52:38');
INSERT INTO holdfast_migrations VALUES(16,60,1,'2026-11-29 10:52:38');
INSERT INTO holdfast_migrations VALUES(17,70,1,'2026-11-29 10:52:38');
INSERT INTO holdfast_migrations VALUES(18,80,1,'2026-11-29 10:52:38');
CREATE TABLE files (
    file_id      varchar primary key,
    size         bigint not null,
    content_type varchar not null,
    filename     varchar not null,
    user_id      integer null,
    account_id   integer not null,
    created_at   timestamptz not null default current_timestamp
, object_bucket varchar null, object_key varchar null, etag varchar null, sha256 bytea null, uploader varchar null, counted bigint null);
INSERT INTO files VALUES('10000000-0000-4000-8000-000000000001',5,'application/octet-stream','hello.txt',1,1,'2026-11-29 10:52:39.079258+00:00','pneumatic-dev-test-1','10000000-0000-4000-8000-000000000001','"5d41402abc4b2a76b9719d911017c592"',X'2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',NULL,5);
INSERT INTO files VALUES('10000000-0000-4000-8000-000000000002',4,'text/plain','form.txt',1,1,'2026-11-29 10:52:39.329981+00:00','pneumatic-dev-test-1','10000000-0000-4000-8000-000000000002','"3fcdb73d36d54f2cc22d0f68e6b6e182"',X'07397d633f25a7101990a75864ae03d5a3b9ac07c4ed6accbc52cbfd7d7c13b4',NULL,4);
CREATE TABLE uploads (
    id               varchar primary key,
    creator_kind     varchar not null,
    user_id          bigint not null,
    account_id       bigint not null,
    fingerprint      varchar not null,
    bucket           varchar not null,
    object_key       varchar not null,
    name             varchar not null,
    type             varchar not null,
    metadata         varchar not null,
    size             bigint not null,
    deferred         boolean not null,
    committed_offset bigint not null default 0,
    part_size        bigint not null,
    next_part        integer not null default 1,
    multipart_id     varchar not null default '',
    hash_state       bytea null,
    etag             varchar not null default '',
    state            varchar not null default 'open',
    lease_holder     varchar not null default '',
    lease_epoch      bigint not null default 0,
    lease_until      bigint not null default 0,
    created          bigint not null,
    expires          bigint null
, partial boolean not null default false, sources varchar not null default '', claim bytea null, ttl bigint not null default 86400000, reserved bigint not null default 0, slots integer not null default 0, emptied bigint null, settled bigint not null default 0, tidy_at bigint null, sent bigint not null default 0, multipart_sums boolean not null default false);
INSERT INTO uploads VALUES('10000000-0000-4000-8000-000000000001','user',1,1,'','pneumatic-dev-test-1','10000000-0000-4000-8000-000000000001','hello.txt','application/octet-stream','filename aGVsbG8udHh0',5,0,5,8388608,1,'',X'736861036a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd1968656c6c6f00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000005','"5d41402abc4b2a76b9719d911017c592"','recorded','',1,0,1795949558942,1796035958942,0,'',NULL,86400000,0,0,NULL,0,NULL,0,0);
INSERT INTO uploads VALUES('10000000-0000-4000-8000-000000000002','user',1,1,'','pneumatic-dev-test-1','10000000-0000-4000-8000-000000000002','form.txt','text/plain','',4,0,4,8388608,1,'',X'736861036a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19666f726d0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000004','"3fcdb73d36d54f2cc22d0f68e6b6e182"','recorded','',1,0,1795949559311,1795949559311,0,'',NULL,0,0,0,NULL,0,NULL,0,0);
INSERT INTO uploads VALUES('10000000-0000-4000-8000-000000000003','user',1,1,'','pneumatic-dev-test-1','10000000-0000-4000-8000-000000000003','half.txt','application/octet-stream','filename aGFsZi50eHQ=',10,0,5,8388608,1,'',X'736861036a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd1968616c662e00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000005','','open','',1,0,1795949559401,1796035959607,0,'',NULL,86400000,10,1,NULL,1,NULL,0,0);
INSERT INTO uploads VALUES('10000000-0000-4000-8000-000000000004','user',1,1,'','pneumatic-dev-test-1','10000000-0000-4000-8000-000000000004','part.txt','application/octet-stream','filename cGFydC50eHQ=',3,0,3,8388608,1,'',X'736861036a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19706172000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000003','"d018268506e2868537a478629b59e7c1"','stored','',1,0,1795949559736,1796035959829,1,'',NULL,86400000,3,1,NULL,0,NULL,0,0);
CREATE TABLE upload_parts (
    upload_id varchar not null references uploads (id),
    number    integer not null,
    "offset"  bigint not null,
    size      bigint not null,
    etag      varchar not null, crc32 varchar not null default '',
    primary key (upload_id, number)
);
CREATE TABLE upload_tails (
    upload_id  varchar not null references uploads (id),
    "offset"   bigint not null,
    size       bigint not null,
    object_key varchar not null,
    primary key (upload_id, "offset")
);
INSERT INTO upload_tails VALUES('10000000-0000-4000-8000-000000000003',0,5,'tails/10000000-0000-4000-8000-000000000003/1-5');
CREATE TABLE tokens (
    id         varchar primary key,
    hash       bytea not null unique,
    name       varchar not null,
    user_id    bigint not null,
    account_id bigint not null,
    created    bigint not null,
    expires    bigint null,
    revoked    bigint null
, groups varchar not null default '');
INSERT INTO tokens VALUES('d46e3766',X'0aaf9cc638341c8844f6381edd6080215a8665bfdb19b1b013d53f352a0d5bee','dev',1,1,1795949558326,NULL,NULL,'');
INSERT INTO tokens VALUES('e57ee06d',X'3396bc058d025358d0e619f0c0b886adf3a595d61b7ca4be61ecee5667d6872e','dev',1,1,1795949558626,NULL,NULL,'');
INSERT INTO tokens VALUES('d7591f03',X'e0b67c8c72daf3de0608e8a2c4dfbc907ae09156039d92405eed8315c466ae4b','laptop',9,2,1795949560155,NULL,NULL,'staff');
CREATE TABLE chores (
    name   varchar primary key,
    holder varchar not null,
    until  bigint not null
, place varchar not null default '');
INSERT INTO chores VALUES('leftovers','NFS6KXI5RWF2SW4EVNAFQBHJ3N',1795949618332,'');
INSERT INTO chores VALUES('sweep','RGOOB4RC6EBI2YR6ANYUPU24KI',1795949618330,'');
CREATE TABLE secrets (
    name    varchar primary key,
    value   bytea not null,
    created bigint not null
);
INSERT INTO secrets VALUES('link key',X'4edb8f6c94526a333e88193cb5625a5147baba40e9a8849404192253d9818afe',1795949558295);
CREATE TABLE grants (
    file_id varchar not null references files (file_id) on delete cascade,
    kind    varchar not null,
    name    varchar not null,
    primary key (file_id, kind, name)
);
INSERT INTO grants VALUES('10000000-0000-4000-8000-000000000001','user','7');
INSERT INTO grants VALUES('10000000-0000-4000-8000-000000000001','group','staff');
CREATE TABLE idempotency_keys (
    owner     varchar not null,
    key       varchar not null,
    upload_id varchar not null,
    expires   bigint not null,
    primary key (owner, key)
);
INSERT INTO idempotency_keys VALUES('user:1:1','"key-1"','10000000-0000-4000-8000-000000000002',1796035959311);
CREATE TABLE imports (
    source     varchar not null,
    account_id bigint not null,
    file_id    varchar not null,
    state      varchar not null default 'begun',
    reason     varchar not null default '',
    updated    bigint not null, attempts integer not null default 0,
    primary key (source, account_id)
);
CREATE TABLE account_usage (
    account_id bigint primary key,
    bytes      bigint not null default 0,
    files      bigint not null default 0
);
INSERT INTO account_usage VALUES(1,22,4);
CREATE TABLE account_quotas (
    account_id bigint primary key,
    max_bytes  bigint null,
    max_files  bigint null
);
INSERT INTO account_quotas VALUES(2,1000,NULL);
CREATE TABLE events (
    file_id varchar not null,
    kind    varchar not null,
    rank    integer not null,
    payload varchar not null,
    state   varchar not null default 'waiting',
    tries   integer not null default 0,
    reason  varchar not null default '',
    created bigint not null,
    due     bigint not null,
    primary key (file_id, kind)
);
CREATE TABLE links (
    id          varchar primary key,
    file_id     varchar not null references files (file_id) on delete cascade,
    kind        varchar not null,
    user_id     bigint not null,
    account_id  bigint not null,
    fingerprint varchar not null,
    groups      varchar not null,
    sealed      varchar not null,
    created     bigint not null,
    expires     bigint not null
);
INSERT INTO links VALUES('00000000000000000000000000000001','10000000-0000-4000-8000-000000000001','user',1,1,'','','',1795949559195,1796554359000);
CREATE TABLE links_ended (
    file_id varchar primary key references files (file_id) on delete cascade,
    ended   bigint not null
);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('holdfast_migrations',18);
CREATE INDEX ix_files_user_id on files (user_id);
CREATE INDEX ix_files_account_id on files (account_id);
CREATE INDEX uploads_unfinished on uploads (state, id) where state <> 'recorded';
CREATE INDEX uploads_sources on uploads (sources) where sources <> '';
CREATE INDEX uploads_expires on uploads (expires) where state <> 'recorded';
CREATE INDEX uploads_held on uploads (lease_holder) where lease_holder <> '';
CREATE INDEX idempotency_keys_expires on idempotency_keys (expires);
CREATE INDEX files_in_order on files (account_id, file_id collate binary);
CREATE UNIQUE INDEX imports_files on imports (file_id);
CREATE INDEX files_uncounted on files (account_id) where counted is null;
CREATE INDEX events_due on events (state, due);
CREATE INDEX files_of_user on files (user_id, account_id, created_at, file_id);
CREATE INDEX files_of_account on files (account_id, created_at, file_id);
CREATE INDEX uploads_untidy on uploads (tidy_at) where tidy_at is not null;
CREATE INDEX uploads_of_identity on uploads (account_id, user_id) where state <> 'recorded' and state <> 'deleted';
CREATE INDEX links_by_file on links (file_id);
CREATE INDEX links_by_end on links (expires);
COMMIT;
