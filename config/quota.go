package config

// Quota is what an account without a quota of its own may use; 0 is no limit.
type Quota struct {
	Bytes int64
	Files int64
}

func (r *reader) quotas() Quota {
	return Quota{Bytes: r.int64("QUOTA_BYTES", 0, 0, 1<<60), Files: r.int64("QUOTA_FILES", 0, 0, 1<<60)}
}
