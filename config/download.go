package config

import (
	"strings"
	"time"
)

// minLinkKey is the fewest characters of a key: what HMAC-SHA256 makes full use of.
const minLinkKey = 32

func (r *reader) download(store StorageType) Download {
	d := Download{
		Redirect:      oneOf(r, "DOWNLOAD_MODE", "proxy", "proxy", "redirect") == "redirect",
		RedirectAbove: r.int64("DOWNLOAD_REDIRECT_MIN", 8<<20, 0, 5<<40),
		StoreTimeout:  r.duration("DOWNLOAD_STORE_TIMEOUT", 30*time.Second, 24*time.Hour),
		CacheControl:  r.string("DOWNLOAD_CACHE_CONTROL", "private, no-cache"),
		FrameOptions:  oneOf(r, "PDF_FRAME_OPTIONS", "DENY", "DENY", "SAMEORIGIN"),
	}
	if u := r.httpURL("DOWNLOAD_REDIRECT_ENDPOINT"); u != nil {
		d.RedirectEndpoint = strings.TrimRight(u.String(), "/")
	}
	if strings.ContainsFunc(d.CacheControl, func(c rune) bool { return c < ' ' || c > '~' }) {
		r.fault("DOWNLOAD_CACHE_CONTROL", "must be plain ASCII, such as \"private, no-cache\"")
	}
	if d.Redirect && store == Embedded {
		r.fault("DOWNLOAD_MODE", "redirect needs a store that clients can reach: another STORAGE_TYPE than embedded")
	}
	return d
}

func (r *reader) links() Links {
	l := Links{MaxTTL: r.timeFrom("LINK_MAX_TTL", 7*24*time.Hour, time.Second, 366*24*time.Hour)}
	for _, key := range r.list("LINK_KEYS") {
		if len(key) < minLinkKey {
			r.fault("LINK_KEYS", "must be keys of at least 32 characters each, such as openssl rand -base64 32 makes")
			break
		}
		l.Keys = append(l.Keys, []byte(key))
	}
	return l
}
