package disk

import "github.com/prometheus/client_golang/prometheus"

// Register registers metrics of the free space.
func (r *Reserve) Register(m prometheus.Registerer) {
	if r == nil {
		return
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	look := func(of func(usage) int64) func() float64 {
		return func() float64 {
			u, err := r.stat(r.dir)
			if err != nil {
				return -1
			}
			return float64(of(u))
		}
	}
	m.MustRegister(
		gauge("holdfast_disk_free_bytes", "Free space of DATA_DIR's file system; -1 if that could not be read.",
			look(func(u usage) int64 { return u.free })),
		gauge("holdfast_disk_reserve_bytes", "MIN_FREE_SPACE: what uploads leave of it.", look(r.bytes)),
		gauge("holdfast_disk_uploads_stopped",
			"1 while uploads are refused for want of space or inodes in DATA_DIR (507), 0 while they are taken.",
			func() float64 {
				if r.Check() != nil {
					return 1
				}
				return 0
			}))
}
