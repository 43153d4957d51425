package cli

import (
	"bytes"
	"strings"
	"testing"

	"holdfast/config"
)

// The settings are listed also while some of them are wrong.
func TestSettingsAreListed(t *testing.T) {
	var out, errs bytes.Buffer
	wrong := func(string) string { return "nonsense" }
	if status := Run(t.Context(), []string{"settings"}, wrong, nil, &out, &errs); status != ok || errs.Len() > 0 {
		t.Fatalf("%d %s", status, &errs)
	}
	for _, s := range config.Settings() {
		if !strings.Contains(out.String(), "\n  "+s.Name+" ") {
			t.Errorf("%s is not listed", s.Name)
		}
	}
}
