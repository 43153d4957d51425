package edge

import (
	"context"
	"encoding/json"
	"net/http"

	"holdfast/access"
	"holdfast/auth"
	"holdfast/file"
	"holdfast/problem"
)

// UsageRows reads the usage and the quota of accounts.
type UsageRows interface {
	Usage(ctx context.Context, accountID int64) (file.Usage, file.Quota, error)
}

// usage answers with the usage and the quota of the caller's account.
func usage(rows UsageRows, respond problem.Responder) func(http.ResponseWriter, *http.Request, file.ID) {
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
