package events

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"holdfast/file"
)

// Creation is an upload that is about to be created.
type Creation struct {
	AccountID int64  `json:"account_id"`
	UserID    int64  `json:"user_id,omitempty"`
	Name      string `json:"name"`
	Type      string `json:"type"`
	Size      int64  `json:"size"` // bytes; 0 while Deferred
	Deferred  bool   `json:"deferred,omitempty"`
	Metadata  string `json:"metadata,omitempty"` // Upload-Metadata as it came
	// Partial: the upload will be concatenated with others. Final: it is the concatenation of others, whose bytes were
	// asked about before (tus 1.0.0, Concatenation).
	Partial bool `json:"partial,omitempty"`
	Final   bool `json:"final,omitempty"`
}

// Ask asks the receiver whether an upload may be created. 2xx allows it, and may give it another name and type; 4xx is
// file.ErrForbidden, with the reason in the answer; anything else is file.ErrUnavailable, so that no upload is created
// without permission.
func (s *Sender) Ask(ctx context.Context, b Creation) (name, contentType string, err error) {
	id := string(file.NewID())
	body, err := json.Marshal(map[string]any{"id": id, "type": "upload.beginning",
		"timestamp": time.Now().UTC().Format(time.RFC3339), "data": b})
	if err != nil {
		return "", "", fmt.Errorf("ask about an upload: %w", err)
	}
	status, answer, err := s.send(ctx, id, body)
	var said struct{ Name, Type, Reason string }
	switch {
	case err != nil:
		return "", "", fmt.Errorf("ask about an upload: %w: %w", file.ErrUnavailable, err)
	case status >= 400 && status < 500:
		if json.Unmarshal(answer, &said) != nil || said.Reason == "" {
			return "", "", file.ErrForbidden
		}
		return "", "", file.Refuse(file.ErrForbidden, "%s", said.Reason)
	case status < 200 || status >= 300:
		return "", "", fmt.Errorf("ask about an upload: %w: the answer is %d", file.ErrUnavailable, status)
	}
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &said); err != nil {
			return "", "", fmt.Errorf("ask about an upload: %w: %w", file.ErrUnavailable, err)
		}
	}
	return said.Name, said.Type, nil
}
