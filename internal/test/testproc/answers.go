package testproc

import (
	"crypto/tls"
	"net/http"
	"testing"
	"time"
)

// WaitForOK waits until the address answers 200, as long as the process that writes log is alive. Each attempt has
// its own connection: one broken connection proves nothing about the next.
func WaitForOK(t testing.TB, address string, process *Process, log string) {
	t.Helper()
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // it only has to answer: no secret is sent
	for end := time.Now().Add(time.Minute); ; {
		if res, err := client.Get(address); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-process.Done():
			t.Fatalf("it ended at once: %v\n%s", process.Err(), LogTail(log))
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(end) {
			t.Fatalf("no answer at %s\n%s", address, LogTail(log))
		}
	}
}
