// Package check validates the deployment files against Kubernetes's schemas. It is a module
// of its own, since its dependencies are large and not part of the service.
package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"go.yaml.in/yaml/v4"
)

// version of Kubernetes whose schemas are used. They come with kubectl-validate. Its validator is not
// used, since it would be built from the whole API server, which takes minutes.
const version = "1.30"

// cluster reads and caches the schemas of each version of an API group.
type cluster struct {
	folder string
	groups map[string]*openapi3.T
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	// No package imports the module, so a build does not download it, and `go list -m` prints "" as
	// the folder of a module that was not downloaded.
	out, err := exec.Command("go", "mod", "download", "-json", "sigs.k8s.io/kubectl-validate").Output()
	var module struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &module); err != nil || jsonErr != nil || module.Dir == "" {
		t.Fatalf("fetch the schemas: %v %v %s", err, jsonErr, module.Error)
	}
	return &cluster{filepath.Join(module.Dir, "pkg", "openapiclient", "builtins", version), map[string]*openapi3.T{}}
}

// group reads the schemas of an API version, such as "apps/v1", or "v1", which has no group.
func (c *cluster) group(apiVersion string) (*openapi3.T, error) {
	if doc := c.groups[apiVersion]; doc != nil {
		return doc, nil
	}
	path := filepath.Join("api", apiVersion)
	if strings.Contains(apiVersion, "/") {
		path = filepath.Join("apis", apiVersion)
	}
	doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join(c.folder, path+".json"))
	if err != nil {
		return nil, fmt.Errorf("no API group %s: %w", apiVersion, err)
	}
	for _, s := range doc.Components.Schemas {
		strict(s.Value)
	}
	c.groups[apiVersion] = doc
	return doc, nil
}

// strict makes a schema refuse unknown fields, as kubectl and the API server do.
func strict(s *openapi3.Schema) {
	if len(s.Properties) > 0 && s.AdditionalProperties.Schema == nil {
		no := false
		s.AdditionalProperties.Has = &no
	}
}

// check validates each document of a file against its schema.
func (c *cluster) check(manifest []byte) (n int, err error) {
	for d := yaml.NewDecoder(bytes.NewReader(manifest)); ; n++ {
		var object map[string]any
		if err := d.Decode(&object); errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return n, err
		}
		apiVersion, _ := object["apiVersion"].(string)
		kind, _ := object["kind"].(string)
		doc, err := c.group(apiVersion)
		if err != nil {
			return n, err
		}
		schema := ofKind(doc, apiVersion, kind)
		if schema == nil {
			return n, fmt.Errorf("no kind %q in %s", kind, apiVersion)
		}
		// Converted to JSON, which has the types that schemas use.
		b, err := json.Marshal(object)
		if err != nil {
			return n, err
		}
		var value any
		if err := json.Unmarshal(b, &value); err != nil {
			return n, err
		}
		if err := schema.VisitJSON(value, openapi3.MultiErrors()); err != nil {
			return n, fmt.Errorf("%s: %w", kind, err)
		}
	}
}

// ofKind finds the schema of a kind by Kubernetes's extension x-kubernetes-group-version-kind.
func ofKind(doc *openapi3.T, apiVersion, kind string) *openapi3.Schema {
	group, version, found := strings.Cut(apiVersion, "/")
	if !found {
		group, version = "", apiVersion
	}
	for _, s := range doc.Components.Schemas {
		all, _ := s.Value.Extensions["x-kubernetes-group-version-kind"].([]any)
		for _, one := range all {
			if is, _ := one.(map[string]any); is["group"] == group && is["version"] == version && is["kind"] == kind {
				return s.Value
			}
		}
	}
	return nil
}

func TestManifests(t *testing.T) {
	c := newCluster(t)
	for _, pattern := range []string{"*.yaml", "example/*.yaml"} {
		paths, err := filepath.Glob(filepath.Join("..", "kubernetes", pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v %v", pattern, paths, err)
		}
		for _, path := range paths {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := c.check(b); err != nil || n == 0 {
				t.Errorf("%s: %d documents are right; %v", path, n, err)
			}
		}
	}
}

// Errors are found: a field that does not exist, a wrong type, a value that is not allowed,
// a missing field, a kind that does not exist.
func TestFaultsAreFound(t *testing.T) {
	c := newCluster(t)
	b, err := os.ReadFile(filepath.Join("..", "kubernetes", "deployment.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range []struct{ old, new, named string }{
		{"replicas: 2", "replicas: two", "replicas"},
		{"readOnlyRootFilesystem: true", "readonlyRootFilesystem: true", "readonlyRootFilesystem"},
		{"enableServiceLinks: false", "enableServiceLink: false", "enableServiceLink"},
		{"maxSkew: 1\n", "\n", "maxSkew"},
		{"path: /healthz, port: http", "path: /healthz", "port"},
		{"kind: Deployment", "kind: Deploiment", "Deploiment"},
		{"apiVersion: apps/v1", "apiVersion: apps/v7", "apps/v7"},
		{"requests: {cpu: 250m,", "requests: {cpu: [250m],", "cpu"},
	} {
		wrong := strings.Replace(string(b), fault.old, fault.new, 1)
		if wrong == string(b) {
			t.Errorf("%q is not in the manifest", fault.old)
		} else if _, err := c.check([]byte(wrong)); err == nil || !strings.Contains(err.Error(), fault.named) {
			t.Errorf("%q in place of %q: %v", fault.new, fault.old, err)
		}
	}
}
