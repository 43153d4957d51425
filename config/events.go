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
	if u := r.httpURL("WEBHOOK_URL", "told what happens to files"); u != nil {
		e.URL = u.String()
	}
	if u := r.httpURL("PRE_CREATE_URL", "asked before an upload begins; it may refuse or rename"); u != nil {
		e.PreCreate = u.String()
	}
	e.Secret = r.get("WEBHOOK_SECRET", "signs what is sent to both; 24 characters or more", "")
	if (e.URL != "" || e.PreCreate != "") && len(e.Secret) < minWebhookSecret {
		r.fault("WEBHOOK_SECRET", "must be a secret of at least 24 characters, to sign what is sent to WEBHOOK_URL and "+
			"PRE_CREATE_URL")
	}
	e.Clamd = r.get("SCAN_CLAMD", "clamd, such as `127.0.0.1:3310` or `unix:/run/clamav/clamd.ctl`: files are scanned "+
		"before they can be seen", "")
	if _, _, err := net.SplitHostPort(e.Clamd); e.Clamd != "" && err != nil && !strings.HasPrefix(e.Clamd, "unix:/") {
		r.fault("SCAN_CLAMD", "must be an address such as 127.0.0.1:3310 or unix:/run/clamav/clamd.ctl")
	}
	e.Scan = Scan{
		AllowUnscannable: oneOf(r, "SCAN_UNSCANNABLE", "what becomes of a file that clamd could not look at, or not at all "+
			"of: `refuse` (422) or `allow`", "refuse", "refuse", "allow") == "allow",
		MaxSize: r.int64("SCAN_MAX_SIZE", "the longest file, in bytes, of which clamd is believed where it can't "+
			"be asked how much it looks at (`AlgorithmicDetection no`)", 25<<20, 1, 5<<40),
		MaxTime: r.duration("SCAN_MAX_TIME", "a scan that took so long has not looked at all of the file: clamd's "+
			"`MaxScanTime`, or less", 2*time.Minute, time.Hour),
	}
	return e
}
