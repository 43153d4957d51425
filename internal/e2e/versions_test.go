package e2e

import "testing"

// A version of tus that is not spoken is refused, and the answer names the one that is.
func TestVersionsOfTus(t *testing.T) {
	t.Parallel()
	s := start(t)
	names := s.fixture(t)
	const tus, open = "/files/tus/", "/files/tus/{open}"
	s.check(t, []line{
		{"PATCH", open, octets + "|Upload-Offset: 5|Tus-Resumable: -", "x", 412, "UPLOAD_003", "Tus-Version: 1.0.0"},
		{"PATCH", open, octets + "|Upload-Offset: 5|Tus-Resumable: 0.2.2", "x", 412, "UPLOAD_003", "Tus-Version: 1.0.0"},
		{"POST", tus, "Upload-Length: 1|Tus-Resumable: 2", "", 412, "UPLOAD_003", "Tus-Version: 1.0.0"},
		{"HEAD", open, "Tus-Resumable: 0.2.2", "", 412, "", "Tus-Version: 1.0.0"},
	}, names...)
}
