//go:build unix

package cli

import (
	"errors"
	"log/slog"

	"github.com/spf13/cobra"

	"holdfast/config"
	"holdfast/edge"
	"holdfast/service"
)

const description = `A self-hosted file service. Plain holdfast runs it, as holdfast serve does.
Settings are read from the environment: holdfast settings lists them.`

// newRoot is the tree of all commands.
func newRoot(p *program) *cobra.Command {
	root := newServe(p)
	root.Use, root.Long = "holdfast [COMMAND]", description
	group(root, "The service", newServe(p), newHealthcheck(p))
	group(root, "Files", newUpload(p), newDownload(p))
	group(root, "Operating it",
		newAccess(p), newBackup(p), newEvents(p), newImport(p), newLinks(p), newQuota(p), newReconcile(p), newStore(p),
		newToken(p))
	const about = "About the program"
	group(root, about, newVersion(p), newSettings(p))
	root.SetCompletionCommandGroupID(about)
	return root
}

func (p *program) log(c config.Config) *slog.Logger { return edge.NewLog(c, p.stderr) }

func isWrongSettings(err error) bool { return errors.Is(err, service.ErrSettings) }
