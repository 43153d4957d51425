package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// anywhere are headers that any request may have, and that change nothing in an answer except who may read it.
// Tus-Resumable is one because these tests send it everywhere.
var anywhere = []string{"Accept", "Accept-Encoding", "User-Agent", "Referer", "Content-Type", "Content-Length",
	"Connection", "Origin", "Sec-Fetch-Site", "Cookie",
	"Authorization", "X-Guest-Authorization", "X-Public-Authorization", "X-Real-Ip", "X-Forwarded-For", "Forwarded", "Via",
	"Traceparent", "Tracestate", "Tus-Resumable", "X-Http-Method-Override"}

// accepted checks that a request which succeeded is described.
func accepted(input *openapi3filter.RequestValidationInput) error {
	r, route := input.Request, input.Route
	described := map[string]bool{}
	for _, all := range []openapi3.Parameters{route.PathItem.Parameters, route.Operation.Parameters} {
		for _, p := range all {
			described[p.Value.In+" "+strings.ToLower(p.Value.Name)] = true
		}
	}
	for _, s := range route.Spec.Components.SecuritySchemes {
		described[s.Value.In+" "+strings.ToLower(s.Value.Name)] = true
	}
	for name := range r.Header {
		if !described["header "+strings.ToLower(name)] && !slices.Contains(anywhere, name) {
			return fmt.Errorf("the request's header %s is not described", name)
		}
	}
	for name := range r.URL.Query() {
		if !described["query "+strings.ToLower(name)] {
			return fmt.Errorf("the query's %s is not described", name)
		}
	}
	if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil {
		return fmt.Errorf("it was accepted: %w", err)
	}
	return nil
}

// sentFits compares the body of a request with its description.
func sentFits(r *http.Request, want *openapi3.RequestBodyRef) error {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	if want == nil {
		return errors.New("it was accepted with a body, which is not described")
	}
	data := want.Value.Content["application/json"]
	if data == nil {
		if mediaType := r.Header.Get("Content-Type"); mediaType != "" && want.Value.Content.Get(mediaType) == nil {
			return fmt.Errorf("it was accepted with the type %q, which is not described", mediaType)
		}
		return nil
	}
	if r.GetBody == nil {
		return nil
	}
	body, err := r.GetBody()
	if err != nil {
		return err
	}
	var sent any
	if err := json.NewDecoder(body).Decode(&sent); err != nil {
		return nil // an empty one
	}
	if err := data.Schema.Value.VisitJSON(sent, openapi3.EnableJSONSchema2020(), openapi3.VisitAsRequest()); err != nil {
		return fmt.Errorf("it was accepted with this body: %w", err)
	}
	return nil
}

// presented reports whether a request has a token where this scheme expects it; whether the token is valid does not
// matter here.
func presented(_ context.Context, in *openapi3filter.AuthenticationInput) error {
	r, has := in.RequestValidationInput.Request, false
	switch s := in.SecurityScheme; {
	case s.Type == "http":
		has = r.Header.Get("Authorization") != ""
	case s.In == "header":
		has = r.Header.Get(s.Name) != ""
	case s.In == "cookie":
		has = len(r.CookiesNamed(s.Name)) > 0
	case s.In == "query":
		has = r.URL.Query().Has(s.Name)
	}
	if !has {
		return fmt.Errorf("%s is not there", in.SecuritySchemeName)
	}
	return nil
}
