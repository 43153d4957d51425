package redistest

import (
	"bufio"
	"fmt"
	"net"
	"testing"
)

// say sends a line to Redis and returns the line with which it answers.
func say(t *testing.T, s *Server, line string) string {
	t.Helper()
	c, err := net.Dial("tcp", s.address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "AUTH %s\r\n%s\r\n", s.Password, line)
	in := bufio.NewReader(c)
	in.ReadString('\n')
	answer, err := in.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestRedisIsStoppedAndKeepsWhatItHas(t *testing.T) {
	s := Start(t)
	if got := say(t, s, "SET a b"); got != "+OK\r\n" {
		t.Fatalf("SET: %q", got)
	}
	s.Stop(t)
	if s.answers() {
		t.Fatal("it answers after it was stopped")
	}
	s.Restart(t)
	if got := say(t, s, "GET a"); got != "$1\r\n" {
		t.Errorf("GET: %q", got)
	}
}
