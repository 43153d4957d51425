//go:build unix

package cli

import (
	"errors"
	"log/slog"

	"github.com/alecthomas/kong"

	"holdfast/config"
	"holdfast/edge"
	"holdfast/service"
)

const description = "A self-hosted file service. Settings are read from the environment: holdfast settings lists them."

// commands are the commands for kong, which calls the method Run of the chosen one. The settings of the service are
// read from the environment, by package config.
type commands struct {
	Serve       serveCommand       `cmd:"" default:"1" help:"Run the service (what plain holdfast does)."`
	Healthcheck healthcheckCommand `cmd:"" help:"Exit with status 0 if the service on HOST and PORT is ready."`
	Version     versionCommand     `cmd:"" help:"Print the version, the commit and how it was built."`
	Settings    settingsCommand    `cmd:"" help:"List all settings, their defaults and what they mean."`
	Token       tokenCommands      `cmd:"" help:"Make, list and revoke local tokens."`
	Upload      uploadCommand      `cmd:"" help:"Upload files and print their URLs. Run it again to resume."`
	Download    downloadCommand    `cmd:"" help:"Download files and print their paths. Run it again to resume."`
	Backup      backupCommand      `cmd:"" help:"Copy the data folder of the embedded default while the service runs."`
	Import      importCommands     `cmd:"" help:"Import files from another store."`
	Access      accessCommands     `cmd:"" help:"Find out who may read what."`
	Links       linksCommands      `cmd:"" help:"Revoke signed links."`
	Store       storeCommands      `cmd:"" help:"The store: accept another embedded one, CORS rules of an S3 store."`
	Reconcile   reconcileCommand   `cmd:"" help:"Compare database and object store. Exit status 1 if findings remain."`
	Quota       quotaCommands      `cmd:"" help:"Quotas of accounts: show, list, set, clear."`
	Events      eventsCommands     `cmd:"" help:"Events that could not be delivered to WEBHOOK_URL."`
}

// longTexts are help texts that are too long for a tag.
func longTexts() kong.Vars {
	return kong.Vars{"import_help": importHelp, "manifest_help": manifestHelp, "links_help": linksHelp,
		"backup_help": backupHelp, "fix_help": fixHelp, "delete_unknown_help": deleteUnknownHelp, "accept_help": acceptHelp}
}

func (p *program) log(c config.Config) *slog.Logger { return edge.NewLog(c, p.stderr) }

func isWrongSettings(err error) bool { return errors.Is(err, service.ErrSettings) }
