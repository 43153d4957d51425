package config

// TLS names the files of the service's certificate. Both are empty if the service speaks plain HTTP.
type TLS struct {
	Cert, Key string // absolute paths
}

// On reports whether the service speaks TLS.
func (t TLS) On() bool { return t.Cert != "" }

// Scheme is that of the URLs at which clients reach the service's own address.
func (t TLS) Scheme() string {
	if t.On() {
		return "https"
	}
	return "http"
}

func (r *reader) tls() TLS {
	t := TLS{
		Cert: r.optionalPath("TLS_CERT", "a file with the certificate and those that lead to its issuer (PEM): the service "+
			"speaks TLS 1.2 and newer and HTTP/2 at its address, and nothing else; `ADMIN_ADDR` stays plain HTTP. "+
			"Changed files are taken within seconds, without a restart"),
		Key: r.optionalPath("TLS_KEY", "a file with the certificate's private key (PEM)"),
	}
	if t.Cert != "" {
		r.needs("TLS_KEY", t.Key, "with TLS_CERT")
	}
	if t.Key != "" {
		r.needs("TLS_CERT", t.Cert, "with TLS_KEY")
	}
	return t
}
