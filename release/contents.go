package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// writeSBOMs lists the contents of the programs and the page in CycloneDX's format: the modules that Go recorded in
// each program, and the npm packages that are bundled into the page.
func (r *release) writeSBOMs(ctx context.Context) error {
	for _, p := range r.platforms {
		_, err := output(command(ctx, filepath.Join(r.source, "release"), "go", "tool", "cyclonedx-gomod", "bin", "-json",
			"-licenses", "-std", "-noserial", "-notimestamp", "-version", "v"+r.version, "-output", r.name(p.name()+".cdx.json"),
			r.binary(p)))
		if err != nil {
			return err
		}
	}
	text, err := output(command(ctx, filepath.Join(r.source, "web-example"), "npm", "sbom", "--sbom-format", "cyclonedx",
		"--package-lock-only"))
	if err != nil {
		return err
	}
	return r.toFile("page.cdx.json", func(w io.Writer) error { return writePageSBOM(w, text) })
}

// writePageSBOM writes npm's CycloneDX document without the packages that only the build and the tests use, and without
// the fields that differ each time. npm's own --omit=dev also leaves out what both the page and a test depend on.
func writePageSBOM(w io.Writer, text string) error {
	type property struct{ Name string }
	type component struct {
		Ref        string `json:"bom-ref"`
		Properties []property
	}
	var document map[string]any
	var typed struct{ Components []component }
	if err := errors.Join(json.Unmarshal([]byte(text), &document), json.Unmarshal([]byte(text), &typed)); err != nil {
		return err
	}
	dev := map[any]bool{}
	for _, c := range typed.Components {
		dev[c.Ref] = slices.Contains(c.Properties, property{"cdx:npm:package:development"})
	}
	omitDev := func(object map[string]any, list string, ref func(any) any) []any {
		entries, ok := object[list].([]any)
		if ok {
			entries = slices.DeleteFunc(entries, func(entry any) bool { return dev[ref(entry)] })
			object[list] = entries
		}
		return entries
	}
	member := func(name string) func(any) any {
		return func(entry any) any { object, _ := entry.(map[string]any); return object[name] }
	}
	omitDev(document, "components", member("bom-ref"))
	for _, d := range omitDev(document, "dependencies", member("ref")) {
		if object, ok := d.(map[string]any); ok {
			omitDev(object, "dependsOn", func(ref any) any { return ref })
		}
	}
	delete(document, "serialNumber")
	if metadata, ok := document["metadata"].(map[string]any); ok {
		delete(metadata, "timestamp")
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(document)
}

// writeChart packs the Helm chart. Its own version and the image's are this one.
func (r *release) writeChart(context.Context) error {
	chart := filepath.Join(r.work, "chart", "holdfast")
	if err := os.CopyFS(chart, os.DirFS(filepath.Join(r.source, "deploy", "helm", "holdfast"))); err != nil {
		return err
	}
	described, err := r.read("deploy", "helm", "holdfast", "Chart.yaml")
	if err != nil {
		return err
	}
	text := string(described)
	for _, field := range []string{"version", "appVersion"} {
		line := regexp.MustCompile(`(?m)^` + field + `: .*$`)
		if n := len(line.FindAllString(text, -1)); n != 1 {
			return fmt.Errorf("%s is in Chart.yaml %d times", field, n)
		}
		text = line.ReplaceAllLiteralString(text, fmt.Sprintf("%s: %q", field, r.version))
	}
	if err := write(filepath.Join(chart, "Chart.yaml"), []byte(text), 0o644); err != nil {
		return err
	}
	entries, err := entriesBelow(chart, "holdfast")
	if err != nil {
		return err
	}
	return create(filepath.Join(r.out, "holdfast-"+r.version+".tgz"), func(w io.Writer) error {
		return writeTarGz(w, entries, r.time)
	})
}

// writeSums writes SHA256SUMS, which `sha256sum -c` reads.
func (r *release) writeSums(context.Context) error {
	entries, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, e := range entries {
		h := sha256.New()
		if err := copyFile(h, filepath.Join(r.out, e.Name())); err != nil {
			return err
		}
		fmt.Fprintf(&b, "%x  %s\n", h.Sum(nil), e.Name())
	}
	return os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), []byte(b.String()), 0o644)
}
