package version

import (
	"runtime/debug"
	"testing"
)

func TestBuildOf(t *testing.T) {
	setting := func(key, value string) debug.BuildSetting { return debug.BuildSetting{Key: key, Value: value} }
	platform := []debug.BuildSetting{setting("GOOS", "linux"), setting("GOARCH", "arm64")}
	for _, c := range []struct {
		what string
		info debug.BuildInfo
		want Build
	}{
		{"a release", debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v0.2.0"},
			Settings: append(platform, setting("vcs.revision", "fcba767"), setting("vcs.modified", "false"))},
			Build{Version: "0.2.0", Commit: "fcba767", Go: "go1.26.8", Platform: "linux/arm64"}},
		{"changed files", debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v0.2.1-0.2026+dirty"},
			Settings: append(platform, setting("vcs.revision", "fcba767"), setting("vcs.modified", "true"))},
			Build{Version: "0.2.1-0.2026+dirty", Commit: "fcba767", Modified: true, Go: "go1.26.8", Platform: "linux/arm64"}},
		{"a build without Git", debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "(devel)"}},
			Build{Version: "(devel)", Commit: "unknown", Go: "go1.26.8", Platform: "unknown"}},
		{"nothing recorded", debug.BuildInfo{},
			Build{Version: "unknown", Commit: "unknown", Go: "unknown", Platform: "unknown"}},
	} {
		if got := buildOf(&c.info); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.what, got, c.want)
		}
	}
}
