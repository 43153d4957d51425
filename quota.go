package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"holdfast/access"
	"holdfast/admin"
	"holdfast/auth"
	"holdfast/config"
	"holdfast/db"
	"holdfast/file"
	"holdfast/problem"
)

type quotaArgs struct {
	Set struct {
		Account int64  `required:"" help:"Number of the account."`
		Bytes   *int64 `help:"Bytes that it may use; 0: no limit. Without it: as before."`
		Files   *int64 `help:"Files that it may have; 0: no limit. Without it: as before."`
	} `cmd:"" help:"Give an account a quota of its own."`
	Clear struct {
		Account int64 `required:"" help:"Number of the account."`
	} `cmd:"" help:"Give an account the quota of all, QUOTA_BYTES and QUOTA_FILES."`
	Show struct {
		Account int64 `required:"" help:"Number of the account."`
	} `cmd:"" help:"What an account uses and may use."`
	List struct{} `cmd:"" help:"What all accounts use and may use."`
}

func runQuota(ctx context.Context, c config.Config, args *quotaArgs, command string, stdout io.Writer) error {
	set := args.Set
	negative := func(n *int64) bool { return n != nil && *n < 0 }
	switch {
	case command == "quota set" && (set.Account < 1 || negative(set.Bytes) || negative(set.Files) || set.Bytes == nil && set.Files == nil):
		return fmt.Errorf("%w: --account must be a positive number, and --bytes or --files given, 0 or more", errMisused)
	case command == "quota clear" && args.Clear.Account < 1, command == "quota show" && args.Show.Account < 1:
		return fmt.Errorf("%w: --account must be a positive number", errMisused)
	}
	rows, err := openDatabase(ctx, c)
	if err != nil {
		return err
	}
	defer rows.Close()
	switch command {
	case "quota set":
		return rows.SetQuota(ctx, set.Account, set.Bytes, set.Files)
	case "quota clear":
		return rows.ClearQuota(ctx, args.Clear.Account)
	case "quota show":
		return admin.ShowQuota(ctx, rows, stdout, args.Show.Account)
	default:
		return admin.ListQuotas(ctx, rows, stdout)
	}
}

// usage answers what the account of the identity in a request's context uses and may use.
func usage(rows *db.DB, respond problem.Responder) func(http.ResponseWriter, *http.Request, file.ID) {
	limit := func(n int64) *int64 {
		if n == 0 {
			return nil
		}
		return &n
	}
	return func(w http.ResponseWriter, r *http.Request, _ file.ID) {
		who, _ := auth.FromContext(r.Context())
		err := access.Usage(who)
		var used file.Usage
		var quota file.Quota
		if err == nil {
			used, quota, err = rows.Usage(r.Context(), who.AccountID)
		}
		if err != nil {
			respond.Write(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		json.NewEncoder(w).Encode(struct {
			Account  int64  `json:"account_id"`
			Bytes    int64  `json:"bytes"` // unfinished uploads included
			MaxBytes *int64 `json:"max_bytes"`
			Files    int64  `json:"files"`
			MaxFiles *int64 `json:"max_files"`
		}{who.AccountID, used.Bytes, limit(quota.Bytes), used.Files, limit(quota.Files)})
	}
}
