package config

// Quota is what an account without a quota of its own may use; 0 is unlimited.
type Quota struct {
	Bytes int64
	Files int64
}

func (r *reader) quotas() Quota {
	r.group = "Quotas"
	return Quota{
		Bytes: r.int64("QUOTA_BYTES", "how many bytes an account may use; 0: no limit. `holdfast quota` sets exceptions", 0,
			0, 1<<60),
		Files: r.int64("QUOTA_FILES", "how many files an account may have; 0: no limit", 0, 0, 1<<60),
	}
}
