// Permission is the service that nginx asks for each download (auth_request): it compares a token and answers 204 or
// 401. It stands for the service of an application, and does as little as possible. TOKEN is the token; its only
// output is the address on which it listens.
package main

import (
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"os"
)

func main() {
	if err := serve(os.Getenv("TOKEN")); err != nil {
		fmt.Fprintln(os.Stderr, "permission:", err)
		os.Exit(1)
	}
}

func serve(token string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("listening on %s\n", l.Addr())
	want := []byte("Bearer " + token)
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusUnauthorized
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) == 1 {
			status = http.StatusNoContent
		}
		w.WriteHeader(status)
	}))
}
