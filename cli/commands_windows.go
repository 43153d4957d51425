package cli

import "github.com/spf13/cobra"

const description = "Uploads files to a Holdfast and downloads them. The service itself runs on Linux and macOS."

// newRoot is the tree of commands of the program for Windows: the client. The lock on the data folder and the flushes
// of the embedded store are Unix's.
func newRoot(p *program) *cobra.Command {
	root := newNoService()
	root.Use, root.Long = "holdfast COMMAND", description
	serve := newNoService()
	serve.Hidden = true
	root.AddCommand(serve, newVersion(p), newUpload(p), newDownload(p))
	return root
}

// newNoService is a command that says where the service runs.
func newNoService() *cobra.Command {
	return &cobra.Command{Use: "serve", Args: noArguments, RunE: func(*cobra.Command, []string) error {
		return wrongArguments("the service does not run on Windows: run it on Linux, in WSL or in a container. Here are " +
			"holdfast upload and holdfast download, see --help")
	}}
}

func isWrongSettings(error) bool { return false }
