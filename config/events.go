package config

import (
	"net"
	"strings"
	"time"
)

// Events are the webhooks and the virus scanner. Secret signs requests to the webhooks: never log it.
type Events struct {
	URL       string // receives events; empty: none are sent
	Secret    string
	PreCreate string // decides whether an upload may begin; empty: always
	Clamd     string // "host:port" or "unix:/path"; empty: nothing is scanned
	Scan      Scan
}

// Scan decides about files that clamd could not scan completely.
type Scan struct {
	AllowUnscannable bool
	MaxSize          int64         // of a file, in bytes, if clamd does not report its own limit
	MaxTime          time.Duration // of one scan
}

// minWebhookSecret is the minimum length of a secret, in characters.
const minWebhookSecret = 24

func (r *reader) events() Events {
	r.group = "Events and scanning"
	var e Events
	if u := r.httpURL("WEBHOOK_URL", "the URL that events of files are sent to"); u != nil {
		e.URL = u.String()
	}
	if u := r.httpURL("PRE_CREATE_URL",
		"the URL that is asked before an upload begins; its answer may refuse or rename it"); u != nil {
		e.PreCreate = u.String()
	}
	e.Secret = r.get("WEBHOOK_SECRET", "the secret that signs requests to both, of 24 characters or more", "")
	if (e.URL != "" || e.PreCreate != "") && len(e.Secret) < minWebhookSecret {
		r.fault("WEBHOOK_SECRET", "must be a secret of at least 24 characters, to sign what is sent to WEBHOOK_URL and "+
			"PRE_CREATE_URL")
	}
	e.Clamd = r.get("SCAN_CLAMD", "the address of clamd, such as `127.0.0.1:3310` or `unix:/run/clamav/clamd.ctl`: "+
		"files are scanned before they can be read", "")
	if _, _, err := net.SplitHostPort(e.Clamd); e.Clamd != "" && err != nil && !strings.HasPrefix(e.Clamd, "unix:/") {
		r.fault("SCAN_CLAMD", "must be an address such as 127.0.0.1:3310 or unix:/run/clamav/clamd.ctl")
	}
	e.Scan = Scan{
		AllowUnscannable: oneOf(r, "SCAN_UNSCANNABLE",
			"what happens to a file that clamd could not scan completely: `refuse` (422) or `allow`", "refuse", "refuse",
			"allow") == "allow",
		MaxSize: r.int64("SCAN_MAX_SIZE",
			"the largest file, in bytes, that clamd is trusted to scan completely if it does not report its own limit "+
				"(`AlgorithmicDetection no`)", 25<<20, 1, 5<<40),
		MaxTime: r.duration("SCAN_MAX_TIME",
			"a scan that took longer is not trusted to be complete: clamd's `MaxScanTime`, or less", 2*time.Minute, time.Hour),
	}
	return e
}
