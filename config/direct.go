package config

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// Direct has the settings of uploads whose clients send the parts to the store itself.
type Direct struct {
	On       bool
	Endpoint string        // where clients reach the store; empty: at our own endpoint
	TTL      time.Duration // of a part's URL
}

// PartOrigins are the origins whose pages may send parts to the store: those that may call the service, and its own. If
// PUBLIC_URL is not set, its own may be any.
func (c Config) PartOrigins() []string {
	own, err := url.Parse(c.PublicURL)
	if err != nil || own.Host == "" || slices.Contains(c.AllowedOrigins, "*") {
		return []string{"*"}
	}
	all := append(slices.Clone(c.AllowedOrigins), Origin(own))
	slices.Sort(all)
	return slices.Compact(all)
}

// direct reads the settings of direct uploads.
func (r *reader) direct() Direct {
	d := Direct{
		On: r.bool("UPLOAD_DIRECT", "clients may send the parts of a file to the store themselves, with presigned URLs. See "+
			"[Direct uploads](#direct-uploads)", false),
		TTL: r.timeFrom("UPLOAD_DIRECT_TTL", "with `UPLOAD_DIRECT`: how long a part's URL is valid. A part must be begun "+
			"within this time", 15*time.Minute, time.Second, 12*time.Hour),
	}
	if u := r.httpURL("UPLOAD_DIRECT_ENDPOINT",
		"with `UPLOAD_DIRECT`: the store's URL for clients, if it differs from the service's own"); u != nil {
		d.Endpoint = strings.TrimRight(u.String(), "/")
	}
	return d
}
