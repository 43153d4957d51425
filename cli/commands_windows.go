package cli

import "github.com/alecthomas/kong"

const description = "Uploads files to a Holdfast and downloads them. The service itself runs on Linux and macOS."

// commands are those of the program for Windows: the client. The lock on the data folder and the flushes of the
// embedded store are Unix's.
type commands struct {
	Serve    noServiceCommand `cmd:"" default:"1" hidden:""`
	Version  versionCommand   `cmd:"" help:"Print the version, the commit and how it was built."`
	Upload   uploadCommand    `cmd:"" help:"Upload files and print their URLs. Run it again to resume."`
	Download downloadCommand  `cmd:"" help:"Download files and print their paths. Run it again to resume."`
}

type noServiceCommand struct{}

// Run says where the service runs.
func (noServiceCommand) Run(*program) error {
	return wrongArguments("the service does not run on Windows: run it on Linux, in WSL or in a container. Here are " +
		"holdfast upload and holdfast download, see --help")
}

func longTexts() kong.Vars { return nil }

func isWrongSettings(error) bool { return false }
