package download

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"holdfast/access"
	"holdfast/auth"
	"holdfast/file"
	"holdfast/reqbody"
)

const (
	// defaultLinkTTL is the lifetime of a link if the request sets none.
	defaultLinkTTL = time.Hour
	// maxLinkRequest is the longest request for a link, in bytes.
	maxLinkRequest = 4 << 10
	// maxLinks is how many links to one file one maker may have in force.
	maxLinks = 1000
	// maxReadersLinks is how many all makers may have that read the file, but may not change it.
	maxReadersLinks = 10 * maxLinks
)

// linkRequest is what a client asks for. All of it may be left out.
type linkRequest struct {
	ExpiresIn   *int64 `json:"expires_in"` // seconds from now
	Disposition string `json:"disposition"`
}

type link struct {
	ID        string    `json:"id"` // by which it can be ended; it gives no access
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}

// listedLink is a link in a list: without its URL, which is stored nowhere.
type listedLink struct {
	ID        string    `json:"id"`
	Kind      file.Kind `json:"kind"` // of its creator
	User      *int64    `json:"user"` // its creator; null: a caller that is no user
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Link creates a signed link: a URL that opens the file id for GET and HEAD, without a token, until it expires. Every
// caller that may read the file may create one.
func (h *Handler) Link(w http.ResponseWriter, r *http.Request, id file.ID) {
	l, err := h.link(w, r, id)
	if err != nil {
		h.Respond.Write(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusCreated)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // a shell script that extracts the URL sees "&", not "\u0026"
	e.Encode(l)
}

func (h *Handler) link(w http.ResponseWriter, r *http.Request, id file.ID) (link, error) {
	rec, err := h.findReadable(r, id)
	if err != nil {
		return link{}, err
	}
	var asked linkRequest
	const example = `{"expires_in": 3600, "disposition": "inline"}`
	if err := reqbody.ReadJSON(w, r, maxLinkRequest, &asked, true, example); err != nil {
		return link{}, err
	}
	ttl := min(defaultLinkTTL, h.LinkMaxTTL)
	if asked.ExpiresIn != nil {
		most := int64(h.LinkMaxTTL / time.Second)
		if *asked.ExpiresIn < 1 || *asked.ExpiresIn > most {
			return link{}, file.Refuse(file.ErrInvalid, "expires_in must be a number of seconds from 1 to %d", most)
		}
		ttl = time.Duration(*asked.ExpiresIn) * time.Second
	}
	switch asked.Disposition {
	case "", "attachment", "inline":
	default:
		return link{}, file.Refuse(file.ErrInvalid, "disposition must be attachment or inline")
	}
	expires := time.Now().Add(ttl).Truncate(time.Second).UTC()
	who, _ := auth.FromContext(r.Context())
	if err := h.admitLink(r, who, rec); err != nil {
		return link{}, err
	}
	query, name, err := h.Links.Make(r.Context(), id, who, expires, asked.Disposition)
	if err != nil {
		return link{}, err
	}
	return link{name, id.URL(h.Base(r)) + "?" + query, expires}, nil
}

// admitLink refuses a link that who makes too soon after others, or for which there is no room.
func (h *Handler) admitLink(r *http.Request, who file.Identity, rec file.Record) error {
	// A service of the account makes links for all visitors of its site, and several for each page that it shows.
	ownService := who.Kind == file.KindService && access.Change(who, rec) == nil
	if h.Limits != nil && !ownService {
		if err := h.Limits.Link(r, who); err != nil {
			return err
		}
	}
	counts, err := h.LinkRows.LinkCounts(r.Context(), rec.ID)
	if err == nil {
		err = roomForLink(who, rec, counts)
	}
	return err
}

// roomForLink refuses who's next link to a file if who has maxLinks to it, or if readers have maxReadersLinks: no maker
// takes the room of another, and all readers together none of the owner's and the services'. Links that are created at
// the same moment may exceed that by a few: the limits keep the list short, and are not a guarantee.
func roomForLink(who file.Identity, rec file.Record, counts []file.LinkCount) error {
	own, readers := 0, 0
	for _, c := range counts {
		if who.Same(c.Maker) {
			own += c.Links
		}
		if access.Change(c.Maker, rec) != nil {
			readers += c.Links
		}
	}
	switch {
	case own >= maxLinks:
		return file.Refuse(file.ErrForbidden,
			"You have %d links to the file in force: end some of them, or wait until they expire", own)
	case readers >= maxReadersLinks && access.Change(who, rec) != nil:
		return file.Refuse(file.ErrForbidden,
			"Readers of the file have %d links to it in force: wait until some expire, or ask its owner to end some", readers)
	}
	return nil
}

// ListLinks answers with the links to the file id that are in force, oldest first, for its owner and for services.
func (h *Handler) ListLinks(w http.ResponseWriter, r *http.Request, id file.ID) {
	if _, err := h.find(r, id, access.Change); err != nil {
		h.Respond.Write(w, r, err)
		return
	}
	var last file.Link
	writeList(w, r, h.Respond, "links", func() (shown []listedLink, err error) {
		links, err := h.LinkRows.Links(r.Context(), id, last, piece)
		for _, l := range links {
			last = l
			one := listedLink{ID: l.ID, Kind: l.Maker.Kind, CreatedAt: l.CreatedAt, ExpiresAt: l.ExpiresAt}
			if l.Maker.UserID != 0 {
				one.User = &l.Maker.UserID
			}
			shown = append(shown, one)
		}
		return shown, err
	}, nil)
}

// EndLinks ends all links to the file id, also those of the version before.
func (h *Handler) EndLinks(w http.ResponseWriter, r *http.Request, id file.ID) {
	_, err := h.find(r, id, access.Change)
	if err == nil {
		err = h.LinkRows.EndLinks(r.Context(), id)
	}
	h.answerNoContent(w, r, err)
}

// EndLink ends one link to the file id: for the file's owner, for services, and for its maker.
func (h *Handler) EndLink(w http.ResponseWriter, r *http.Request, id file.ID, link string) {
	_, err := h.find(r, id, func(who file.Identity, rec file.Record) error {
		l, err := h.LinkRows.Link(r.Context(), link)
		if err == nil && l.File == id && who.Same(l.Maker) {
			return nil
		}
		return access.Change(who, rec)
	})
	if err == nil {
		err = h.LinkRows.EndLink(r.Context(), id, link)
	}
	h.answerNoContent(w, r, err)
}

// EndLinksOf ends all links that its caller has made, to whichever files. A service may name a user of its account,
// whose links are ended in place of its own.
func (h *Handler) EndLinksOf(w http.ResponseWriter, r *http.Request) {
	who, _ := auth.FromContext(r.Context())
	user, err := namedUser(r)
	var maker file.LinkMaker
	if err == nil {
		maker, err = access.EndLinksOf(who, user)
	}
	if err == nil {
		_, err = h.LinkRows.EndLinksOf(r.Context(), maker)
	}
	h.answerNoContent(w, r, err)
}

// namedUser reads the parameter user; 0 if there is none. What can't be understood is refused, since without the
// parameter other links would be ended.
func namedUser(r *http.Request) (int64, error) {
	q, err := parameters(r, "user")
	if err != nil || q["user"] == "" {
		return 0, err
	}
	n, err := strconv.ParseInt(q["user"], 10, 64)
	if err != nil || n < 1 {
		return 0, file.Refuse(file.ErrInvalid, "user must be the number of a user")
	}
	return n, nil
}

func (h *Handler) answerNoContent(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		h.Respond.Write(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
