package config

import (
	"net"
	"strings"
)

// Events are whom the service tells and asks about files. Secret signs what is sent to them:
// never log it.
type Events struct {
	URL       string // told what happens; empty: nobody
	Secret    string
	PreCreate string // asked whether an upload may begin; empty: nobody
	Clamd     string // "host:port" or "unix:/path"; empty: nothing is scanned
}

// minWebhookSecret is the fewest characters of a secret.
const minWebhookSecret = 24

func (r *reader) events() Events {
	e := Events{Secret: r.get("WEBHOOK_SECRET"), Clamd: r.get("SCAN_CLAMD")}
	if u := r.httpURL("WEBHOOK_URL"); u != nil {
		e.URL = u.String()
	}
	if u := r.httpURL("PRE_CREATE_URL"); u != nil {
		e.PreCreate = u.String()
	}
	if (e.URL != "" || e.PreCreate != "") && len(e.Secret) < minWebhookSecret {
		r.fault("WEBHOOK_SECRET", "must be a secret of at least 24 characters, to sign what is sent to WEBHOOK_URL and PRE_CREATE_URL")
	}
	if _, _, err := net.SplitHostPort(e.Clamd); e.Clamd != "" && err != nil && !strings.HasPrefix(e.Clamd, "unix:/") {
		r.fault("SCAN_CLAMD", "must be an address such as 127.0.0.1:3310 or unix:/run/clamav/clamd.ctl")
	}
	return e
}
