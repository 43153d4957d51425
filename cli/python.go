package cli

import (
	"path"
	"slices"
	"strings"
)

// pythonCommand reports whether args are those with which compose files start the Python file service: a shell that
// migrates its tables and runs uvicorn, or uvicorn itself. An image that replaces it is called with these arguments
// until the compose file is changed.
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
