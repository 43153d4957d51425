// Package version says how the program was built.
package version

import (
	"runtime/debug"
	"strings"
)

// Build describes how the program was built.
type Build struct {
	Version  string `json:"version"`  // of Holdfast, such as 0.2.0
	Commit   string `json:"commit"`   // of Git
	Modified bool   `json:"modified"` // files were changed after that commit
	Go       string `json:"go"`       // version of Go, such as go1.26.8
	Platform string `json:"platform"` // such as linux/amd64
}

// Of returns this program's Build; a field is "unknown" if the build did not record it.
func Of() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = new(debug.BuildInfo)
	}
	return buildOf(info)
}

// buildOf converts Go's build information. Go writes a version's tag with a v in front.
func buildOf(info *debug.BuildInfo) Build {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	b := Build{Version: strings.TrimPrefix(info.Main.Version, "v"), Commit: settings["vcs.revision"],
		Modified: settings["vcs.modified"] == "true", Go: info.GoVersion}
	if settings["GOOS"] != "" && settings["GOARCH"] != "" {
		b.Platform = settings["GOOS"] + "/" + settings["GOARCH"]
	}
	for _, text := range []*string{&b.Version, &b.Commit, &b.Go, &b.Platform} {
		if *text == "" {
			*text = "unknown"
		}
	}
	return b
}
