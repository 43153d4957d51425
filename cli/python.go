package cli

import (
	"path"
	"slices"
	"strings"
)

// pythonCommand reports whether args are how compose files start the Python file service: a shell
// that brings its tables up to date and runs uvicorn, or uvicorn itself. An image that takes that
// one's place is called so until somebody changes the file.
func pythonCommand(args []string) bool {
	if len(args) == 0 {
		return false
	}
	words := args
	switch path.Base(args[0]) {
	case "sh", "bash", "ash", "dash":
		words = strings.Fields(strings.Join(args[1:], " "))
	case "poetry", "python", "python3", "uvicorn", "gunicorn":
	default:
		return false
	}
	return slices.ContainsFunc(words, func(w string) bool {
		return path.Base(w) == "uvicorn" ||
			path.Base(w) == "gunicorn"
	})
}
