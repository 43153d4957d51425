package config

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// reader reads variables and collects the faults in them. A fault names the variable and what it should be; it
// shows the value only if that can't be a secret.
//
// Each call that reads a variable also passes its meaning: the documentation is generated from that.
type reader struct {
	getenv   func(string) string
	faults   []error
	group    string // of the settings that are read next
	settings []Setting
}

// get returns a variable as it is set, or "" if it is not. otherwise is its default as it is shown in the
// documentation.
func (r *reader) get(name, meaning, otherwise string) string {
	r.settings = append(r.settings, Setting{r.group, name, otherwise, meaning})
	return strings.TrimSpace(r.getenv(name))
}

func (r *reader) fault(name, what string) {
	r.faults = append(r.faults, errors.New(name+" "+what))
}

func (r *reader) err() error { return errors.Join(r.faults...) }

func (r *reader) string(name, meaning, otherwise string) string {
	return cmp.Or(r.get(name, meaning, otherwise), otherwise)
}

// needs reports a fault if a setting is missing that other settings require.
func (r *reader) needs(name, value, when string) {
	if value == "" {
		r.fault(name, "is needed "+when)
	}
}

// path returns an absolute path, so that the log and errors say where it is.
func (r *reader) path(name, meaning, otherwise string) string {
	p, err := filepath.Abs(r.string(name, meaning, otherwise))
	if err != nil {
		r.fault(name, err.Error())
	}
	return p
}

// optionalPath is path for a file that need not be there; empty if the variable is not set.
func (r *reader) optionalPath(name, meaning string) string {
	s := r.get(name, meaning, "")
	if s == "" {
		return ""
	}
	p, err := filepath.Abs(s)
	if err != nil {
		r.fault(name, err.Error())
	}
	return p
}

func (r *reader) int64(name, meaning string, otherwise, least, most int64) int64 {
	s := r.get(name, meaning, strconv.FormatInt(otherwise, 10))
	if s == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < least || n > most {
		r.fault(name, fmt.Sprintf("must be a whole number from %d to %d, not %q", least, most, s))
		return otherwise
	}
	return n
}

func (r *reader) int(name, meaning string, otherwise, least, most int) int {
	return int(r.int64(name, meaning, int64(otherwise), int64(least), int64(most)))
}

func (r *reader) bool(name, meaning string, otherwise bool) bool {
	usual := "off"
	if otherwise {
		usual = "on"
	}
	switch s := strings.ToLower(r.get(name, meaning, usual)); s {
	case "":
		return otherwise
	case "1", "true", "yes", "on":
		return true
	case "0", "false", "no", "off":
		return false
	default:
		r.fault(name, fmt.Sprintf("must be on or off, not %q", s))
		return otherwise
	}
}

// duration reads a time of at least a millisecond.
func (r *reader) duration(name, meaning string, otherwise, most time.Duration) time.Duration {
	return r.timeFrom(name, meaning, otherwise, time.Millisecond, most)
}

// timeFrom accepts Go's notation ("90s", "1h30m") and plain seconds.
func (r *reader) timeFrom(name, meaning string, otherwise, least, most time.Duration) time.Duration {
	s := r.get(name, meaning, plain(otherwise))
	if s == "" {
		return otherwise
	}
	d, err := time.ParseDuration(s)
	if n, nerr := strconv.Atoi(s); nerr == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d < least || d > most {
		r.fault(name, fmt.Sprintf("must be a time such as 60s or 2m, from %s to %s, not %q", plain(least), plain(most), s))
		return otherwise
	}
	return d
}

// plain formats a duration without zero units: 24h, not 24h0m0s.
func plain(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

// address reads a host and a port; "off" is none.
func (r *reader) address(name, meaning, otherwise string) string {
	s := r.string(name, meaning, otherwise)
	if s == "off" {
		return ""
	}
	if _, port, err := net.SplitHostPort(s); err != nil || port == "" {
		r.fault(name, fmt.Sprintf("must be an address such as 127.0.0.1:9090, or off, not %q", s))
	}
	return s
}

// listenHost reads an address or a name to listen on, without a port. An IPv6 address may be in brackets.
func (r *reader) listenHost(name, meaning, otherwise string) string {
	s := r.string(name, meaning, otherwise)
	bare := s
	if inside, ok := strings.CutPrefix(s, "["); ok {
		bare = strings.TrimSuffix(inside, "]")
	}
	if _, err := netip.ParseAddr(bare); err == nil {
		return bare
	}
	if strings.Contains(s, ":") || !ValidHost(s) {
		r.fault(name, fmt.Sprintf("must be an address or a name, without a port (0.0.0.0 or :: for all addresses), not %q",
			s))
	}
	return s
}

func (r *reader) httpURL(name, meaning string) *url.URL {
	if s := r.get(name, meaning, ""); s != "" {
		return r.checkURL(name, s)
	}
	return nil
}

// pythonURL reads a URL with or without http:// or https://, as the Python service does.
func (r *reader) pythonURL(name, meaning string) *url.URL {
	if s := r.get(name, meaning, ""); s != "" {
		return r.checkURL(name, withScheme(s))
	}
	return nil
}

// withScheme adds the scheme to a URL that has none: http for IP addresses and for names without a dot, which are
// on this machine or in a private network, and https for all others.
func withScheme(s string) string {
	if strings.Contains(s, "://") {
		return s
	}
	u, err := url.Parse("http://" + s)
	if err != nil {
		return s
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil || !strings.Contains(u.Hostname(), ".") {
		return u.String()
	}
	return "https://" + s
}

func (r *reader) checkURL(name, s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		r.fault(name, "must be an http or https URL")
		return nil
	}
	if !ValidHost(u.Host) {
		r.fault(name, "must have a valid host: a name in ASCII (xn--...) or an address, and a port from 1 to 65535")
		return nil
	}
	return u
}

// list reads a comma list or a JSON list of strings, as the Python service does.
func (r *reader) list(name, meaning string) []string {
	s := r.get(name, meaning, "")
	if strings.HasPrefix(s, "[") {
		var all []string
		if err := json.Unmarshal([]byte(s), &all); err != nil {
			r.fault(name, "must be a comma list or a JSON list of strings")
		}
		return all
	}
	var all []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

func oneOf[T ~string](r *reader, name, meaning string, otherwise T, allowed ...T) T {
	s := T(r.get(name, meaning, string(otherwise)))
	if s == "" {
		return otherwise
	}
	if !slices.Contains(allowed, s) {
		r.fault(name, fmt.Sprintf("must be one of %q, not %q", allowed, string(s)))
		return otherwise
	}
	return s
}
