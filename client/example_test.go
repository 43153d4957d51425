package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdfast/client"
)

// The examples work in a temporary folder, with the service of HOLDFAST_URL and the token of HOLDFAST_TOKEN.
func connect() (c *client.Client, dir string, done func()) {
	dir, err := os.MkdirTemp("", "holdfast-example")
	if err != nil {
		log.Fatal(err)
	}
	return client.New(os.Getenv("HOLDFAST_URL"), os.Getenv("HOLDFAST_TOKEN")), dir, func() { os.RemoveAll(dir) }
}

// An upload and a download. Both go on after lost connections, and compare the SHA-256 at the end.
func Example() {
	c, dir, done := connect()
	defer done()
	ctx := context.Background()

	path := filepath.Join(dir, "hello.txt")
	if err := os.WriteFile(path, []byte("Hello, world!\n"), 0o600); err != nil {
		log.Fatal(err)
	}
	file, err := c.Upload(ctx, path)
	if err != nil {
		log.Fatal(err)
	}
	copied, err := c.Download(ctx, file, client.Target{Path: filepath.Join(dir, "copy.txt")})
	if err != nil {
		log.Fatal(err)
	}
	content, err := os.ReadFile(copied)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(content))
	// Output: Hello, world!
}

// An upload that was interrupted goes on in another call, or in another process, if the client has a URLStore.
func ExampleClient_Upload_resume() {
	c, dir, done := connect()
	defer done()
	path := filepath.Join(dir, "film.mp4")
	if err := os.WriteFile(path, make([]byte, 64<<20), 0o600); err != nil {
		log.Fatal(err)
	}
	c.URLs = client.NewURLStore(filepath.Join(dir, "unfinished"))

	ctx, cancel := context.WithCancel(context.Background())
	var sent int64 // bytes
	c.Progress = func(n int64) {
		if sent += n; sent > 48<<20 {
			cancel() // as Ctrl-C would
		}
	}
	_, err := c.Upload(ctx, path)
	fmt.Println("interrupted:", errors.Is(err, context.Canceled))

	var first int64
	c.Progress = func(n int64) {
		if first == 0 {
			first = n // what is there already
		}
	}
	_, err = c.Upload(context.Background(), path)
	fmt.Println("resumed:", first > 0 && err == nil)
	// Output:
	// interrupted: true
	// resumed: true
}

// A stream is uploaded without a file, and without its length being known.
func ExampleClient_UploadStream() {
	c, _, done := connect()
	defer done()
	ctx := context.Background()

	file, err := c.UploadStream(ctx, strings.NewReader("from a pipe\n"), "notes.txt")
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Stream(ctx, file, os.Stdout); err != nil {
		log.Fatal(err)
	}
	// Output: from a pipe
}

// The newest file comes first. Breaking out of the loop fetches no further pages.
func ExampleClient_List() {
	c, _, done := connect()
	defer done()
	ctx := context.Background()

	if _, err := c.UploadStream(ctx, strings.NewReader("1234"), "four.txt"); err != nil {
		log.Fatal(err)
	}
	for file, err := range c.List(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(file.Name, file.Size)
		break
	}
	// Output: four.txt 4
}

// What the service refuses has a code, and compares with the errors of io/fs.
func ExampleClient_Delete() {
	c, _, done := connect()
	defer done()
	ctx := context.Background()

	file, err := c.UploadStream(ctx, strings.NewReader("old"), "old.txt")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Delete(ctx, file))

	err = c.Delete(ctx, file)
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	var refusal *client.Refusal
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Status, refusal.Code == client.CodeNotFound)
	}
	// Output:
	// <nil>
	// true
	// 404 true
}

// A link opens one file, without a token, until it expires.
func ExampleClient_Link() {
	c, _, done := connect()
	defer done()
	ctx := context.Background()

	file, err := c.UploadStream(ctx, strings.NewReader("for everybody\n"), "note.txt")
	if err != nil {
		log.Fatal(err)
	}
	link, err := c.Link(ctx, file, client.LinkOptions{ExpiresIn: 10 * time.Minute, Inline: true})
	if err != nil {
		log.Fatal(err)
	}
	res, err := http.Get(link.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(content))
	// Output: for everybody
}
