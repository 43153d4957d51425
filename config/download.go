package config

import (
	"strings"
	"time"
)

// minLinkKey is the minimum length of a key, in characters: HMAC-SHA256 makes full use of that many.
const minLinkKey = 32

func (r *reader) downloads(c *Config) {
	r.group = "Downloads"
	c.WriteTimeout = r.duration("WRITE_TIMEOUT",
		"a client that takes longer than this for 128 KiB of a download is cut off", 2*time.Minute, 24*time.Hour)
	d := Download{
		StoreTimeout: r.duration("DOWNLOAD_STORE_TIMEOUT",
			"if the store sends nothing for this time, the download continues with a new request to it, from the byte that "+
				"was reached", 30*time.Second, 24*time.Hour),
		CacheControl: r.string("DOWNLOAD_CACHE_CONTROL",
			"the `Cache-Control` header of files; by default browsers ask each time whether their copy is still valid",
			"private, no-cache"),
		Redirect: oneOf(r, "DOWNLOAD_MODE",
			"`proxy`: the service sends the bytes; `redirect`: large files come from the store itself, by a 302 to a "+
				"presigned URL", "proxy", "proxy", "redirect") == "redirect",
		RedirectAbove: r.int64("DOWNLOAD_REDIRECT_MIN", "with `redirect`: files above this size, in bytes, are redirected",
			8<<20, 0, 5<<40),
		FrameOptions: oneOf(r, "PDF_FRAME_OPTIONS",
			"the `X-Frame-Options` header of PDFs; with `SAMEORIGIN`, pages of the same origin may show a PDF in a frame",
			"DENY", "DENY", "SAMEORIGIN"),
		ResourcePolicy: oneOf(r, "RESOURCE_POLICY",
			"the `Cross-Origin-Resource-Policy` header of files: which pages may embed one by a signed link, as an image, "+
				"audio or video. `same-site`: pages of the same registrable domain (`app.example.org` and `files.example.org`); "+
				"`cross-origin`: all pages", "same-site",
			"same-origin", "same-site", "cross-origin"),
	}
	if u := r.httpURL("DOWNLOAD_REDIRECT_ENDPOINT",
		"with `redirect`: the store's URL for clients, if it differs from the service's own"); u != nil {
		d.RedirectEndpoint = strings.TrimRight(u.String(), "/")
	}
	if strings.ContainsFunc(d.CacheControl, func(c rune) bool { return c < ' ' || c > '~' }) {
		r.fault("DOWNLOAD_CACHE_CONTROL", "must be plain ASCII, such as \"private, no-cache\"")
	}
	c.Download = d
	c.Links = r.links()
	c.CacheTTL = r.timeFrom("PERMISSION_CACHE_TTL",
		"how long a decision that somebody may read a file is cached; 0: not at all. See [DOWNLOADS.md](DOWNLOADS.md)",
		10*time.Second, 0, time.Hour)
}

func (r *reader) links() Links {
	l := Links{MaxTTL: r.timeFrom("LINK_MAX_TTL", "the longest time for which a signed link may be valid", 7*24*time.Hour,
		time.Second,
		366*24*time.Hour)}
	for _, key := range r.list("LINK_KEYS",
		"keys of signed links, as a comma list, each of 32 characters or more: the first signs, all are accepted. Without "+
			"it, the service makes a key and keeps it in the database") {
		if len(key) < minLinkKey {
			r.fault("LINK_KEYS", "must be keys of at least 32 characters each, such as openssl rand -base64 32 makes")
			break
		}
		l.Keys = append(l.Keys, []byte(key))
	}
	return l
}
