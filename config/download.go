package config

import (
	"strings"
	"time"
)

// minLinkKey is the minimum length of a key, in characters: HMAC-SHA256 makes full use of that many.
const minLinkKey = 32

func (r *reader) downloads(c *Config) {
	r.group = "Downloads"
	c.WriteTimeout = r.duration("WRITE_TIMEOUT", "a client that takes less than 128 KiB of a download in so long is cut "+
		"off", 2*time.Minute, 24*time.Hour)
	d := Download{
		StoreTimeout: r.duration("DOWNLOAD_STORE_TIMEOUT", "a store that sends nothing for so long is asked again, from "+
			"the byte that was reached", 30*time.Second, 24*time.Hour),
		CacheControl: r.string("DOWNLOAD_CACHE_CONTROL", "`Cache-Control` of files", "private, no-cache"),
		Redirect: oneOf(r, "DOWNLOAD_MODE", "`redirect`: larger files come from the store itself, by a 302 to a "+
			"presigned address", "proxy", "proxy", "redirect") == "redirect",
		RedirectAbove: r.int64("DOWNLOAD_REDIRECT_MIN", "with `redirect`: above so many bytes", 8<<20, 0, 5<<40),
		FrameOptions: oneOf(r, "PDF_FRAME_OPTIONS", "`SAMEORIGIN`: pages of the same origin may show a PDF in a frame",
			"DENY", "DENY", "SAMEORIGIN"),
		ResourcePolicy: oneOf(r, "RESOURCE_POLICY", "`Cross-Origin-Resource-Policy` of files: whose pages may show one by "+
			"a signed link, as a picture, a sound or "+
			"a film. `same-site` are pages of the same registrable domain (`app.example.org` and `files.example.org`), "+
			"`cross-origin` everybody's", "same-site",
			"same-origin", "same-site", "cross-origin"),
	}
	if u := r.httpURL("DOWNLOAD_REDIRECT_ENDPOINT", "with `redirect`: where clients reach the store, if not where the "+
		"service does"); u != nil {
		d.RedirectEndpoint = strings.TrimRight(u.String(), "/")
	}
	if strings.ContainsFunc(d.CacheControl, func(c rune) bool { return c < ' ' || c > '~' }) {
		r.fault("DOWNLOAD_CACHE_CONTROL", "must be plain ASCII, such as \"private, no-cache\"")
	}
	c.Download = d
	c.Links = r.links()
	c.CacheTTL = r.timeFrom("PERMISSION_CACHE_TTL", "how long the decision that somebody may read a file is cached; 0: "+
		"not at all. See [DOWNLOADS.md](DOWNLOADS.md)", 10*time.Second, 0, time.Hour)
}

func (r *reader) links() Links {
	l := Links{MaxTTL: r.timeFrom("LINK_MAX_TTL", "the longest life of a signed link", 7*24*time.Hour, time.Second,
		366*24*time.Hour)}
	for _, key := range r.list("LINK_KEYS", "keys of signed links, a comma list of 32 characters or more each: the "+
		"first signs, all are accepted; without, one is made and kept in the database") {
		if len(key) < minLinkKey {
			r.fault("LINK_KEYS", "must be keys of at least 32 characters each, such as openssl rand -base64 32 makes")
			break
		}
		l.Keys = append(l.Keys, []byte(key))
	}
	return l
}
