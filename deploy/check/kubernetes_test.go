// Package check holds what is deployed against the schemas of those who read it. It is a module
// of its own, since these are large and no part of the service.
package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/kubectl-validate/pkg/cmd"
	"sigs.k8s.io/kubectl-validate/pkg/openapiclient"
	"sigs.k8s.io/kubectl-validate/pkg/validator"
)

// version of Kubernetes, whose schemas the validator brings along.
const version = "1.30"

func newValidator(t *testing.T) *validator.Validator {
	t.Helper()
	v, err := validator.New(openapiclient.NewOverlay(openapiclient.HardcodedPatchLoader(version), openapiclient.NewHardcodedBuiltins(version)))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestManifests(t *testing.T) {
	v := newValidator(t)
	var paths []string
	for _, pattern := range []string{"*.yaml", "example/*.yaml"} {
		found, err := filepath.Glob(filepath.Join("..", "kubernetes", pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v %v", pattern, found, err)
		}
		paths = append(paths, found...)
	}
	for _, path := range paths {
		for _, err := range cmd.ValidateFile(path, v) {
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
}

// The validator finds what is wrong: a field that does not exist, a wrong type, what is missing.
func TestFaultsAreFound(t *testing.T) {
	v := newValidator(t)
	b, err := os.ReadFile(filepath.Join("..", "kubernetes", "deployment.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for old, new := range map[string]string{
		"replicas: 2":                         "replicas: two",
		"readOnlyRootFilesystem: true":        "readonlyRootFilesystem: true",
		"enableServiceLinks: false":           "enableServiceLink: false",
		"image: holdfast:1.0.0":               "imagePullPolicy: Perhaps",
		"path: /healthz, port: http":          "path: /healthz",
		"whenUnsatisfiable: ScheduleAnyway\n": "\n",
	} {
		wrong := strings.Replace(string(b), old, new, 1)
		if wrong == string(b) {
			t.Errorf("%q is not in the manifest", old)
			continue
		}
		if err := cmd.ValidateDocument([]byte(wrong), v); err == nil {
			t.Errorf("%q in place of %q is not found", new, old)
		} else {
			t.Log(err)
		}
	}
}
