package download

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"holdfast/access"
	"holdfast/auth"
	"holdfast/file"
	"holdfast/reqbody"
)

// Grants stores the grants of files.
type Grants interface {
	Grant(ctx context.Context, id file.ID) (file.Grant, error)
	SetGrant(ctx context.Context, id file.ID, g file.Grant) error
}

// maxGrantRequest is the longest request for a grant, in bytes: it has room for the most names, all long.
const maxGrantRequest = 512 << 10

// fingerprinted is the prefix of a token's fingerprint, which is shown in place of the token: its text is not stored.
const fingerprinted = "sha256:"

// grant is a file.Grant as clients see it. A token is accepted as its text, or in the form in which answers show it.
type grant struct {
	Access file.Access `json:"access"`
	Users  []int64     `json:"users"`
	Groups []string    `json:"groups"`
	Tokens []string    `json:"tokens"`
}

// Grant answers with the grant of the file id, for its owner and for services.
func (h *Handler) Grant(w http.ResponseWriter, r *http.Request, id file.ID) {
	_, err := h.find(r, id, access.Change)
	var g file.Grant
	if err == nil {
		g, err = h.Grants.Grant(r.Context(), id)
	}
	if err != nil {
		h.Respond.Write(w, r, err)
		return
	}
	answerGrant(w, g)
}

// SetGrant replaces the grant of the file id. Other replicas use the old grant until their cache expires.
func (h *Handler) SetGrant(w http.ResponseWriter, r *http.Request, id file.ID) {
	_, err := h.find(r, id, access.Change)
	var g file.Grant
	if err == nil {
		g, err = h.readGrant(w, r)
	}
	if err == nil {
		err = h.Grants.SetGrant(r.Context(), id, g)
		h.Access.Invalidate(id) // even after an error: a commit whose answer was lost may have happened
	}
	if err != nil {
		h.Respond.Write(w, r, err)
		return
	}
	answerGrant(w, g)
}

func (h *Handler) readGrant(w http.ResponseWriter, r *http.Request) (file.Grant, error) {
	var asked grant
	const example = `{"access": "restricted", "users": [7], "groups": ["staff"], "tokens": []}`
	if err := reqbody.ReadJSON(w, r, maxGrantRequest, &asked, false, example); err != nil {
		return file.Grant{}, err
	}
	g := file.Grant{Access: asked.Access, Users: asked.Users, Groups: asked.Groups}
	for _, token := range asked.Tokens {
		fingerprint, err := fingerprint(token)
		if err != nil {
			return file.Grant{}, err
		}
		g.Tokens = append(g.Tokens, fingerprint)
	}
	if err := g.Clean(); err != nil {
		return file.Grant{}, err
	}
	return g, h.Access.Grantable(g)
}

// fingerprint returns the fingerprint of a public form's token, which is given as its text or as its fingerprint.
func fingerprint(token string) (string, error) {
	known, ok := strings.CutPrefix(token, fingerprinted)
	switch {
	case ok && len(known) == len(auth.Fingerprint("")) && strings.Trim(known, "0123456789abcdef") == "":
		return known, nil
	case auth.IsPublicToken(token):
		return auth.Fingerprint(token), nil
	}
	return "", file.Refuse(file.ErrInvalid,
		"tokens must be those of public forms, with 8 or 32 characters, or %s and 32 hexadecimal digits", fingerprinted)
}

func answerGrant(w http.ResponseWriter, g file.Grant) {
	shown := grant{Access: g.Access, Users: append([]int64{}, g.Users...), Groups: append([]string{}, g.Groups...),
		Tokens: []string{}}
	for _, fingerprint := range g.Tokens {
		shown.Tokens = append(shown.Tokens, fingerprinted+fingerprint)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(shown)
}
