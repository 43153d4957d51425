package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"holdfast/db"
	"holdfast/file"
)

// rows is the database as one process sees it: slow, sometimes failing, and gone once the process has died.
type rows struct {
	*db.DB
	p *proc
}

var errDied = errors.New("the process has died")

// short returns the time that a call, or its answer, is on its way.
func short(n int64) time.Duration { return 200*time.Microsecond + time.Duration(n) }

// ask makes a call to the database. The call itself takes no virtual time, so that a transaction is never interrupted.
func ask[T any](ctx context.Context, r rows, what string, id file.ID, do func(context.Context) (T, error)) (T, error) {
	var none T
	w := r.p.world
	name := fmt.Sprintf("sql %s %s", what, w.name(id))
	name = fmt.Sprintf("%s #%d", name, w.count(name))
	dice := w.roll(name)
	before, after := short(dice.Int64N(5e6)), short(dice.Int64N(5e6))
	bad := dice.Float64()
	if bad < w.plan.Rate/4 && w.fault(name+" is slow") {
		before += time.Duration(dice.Int64N(4e9))
	}
	ctx, cancel := r.p.join(r.p.thaw(ctx))
	defer cancel()
	ended := func() error {
		if errors.Is(ctx.Err(), context.Canceled) {
			return fmt.Errorf("%s: %w", what, context.Canceled)
		}
		return fmt.Errorf("%s: %w: %w", what, file.ErrDatabase, ctx.Err())
	}
	if !pause(ctx, before) {
		return none, ended()
	}
	if bad > 1-w.plan.Rate/4 && w.fault(name+" fails") {
		return none, fmt.Errorf("%s: %w", what, file.ErrDatabase)
	}
	if r.p.thaw(ctx); r.p.dead() {
		return none, ended()
	}
	result, err := do(context.WithoutCancel(ctx))
	if r.p.thaw(ctx); !pause(ctx, after) {
		return none, ended()
	}
	if bad > 1-w.plan.Rate/2 && bad < 1-w.plan.Rate/4 && w.fault(name+" loses its answer") {
		return none, fmt.Errorf("%s: %w", what, file.ErrDatabase)
	}
	return result, err
}

// tell is ask for calls without a result.
func tell(ctx context.Context, r rows, what string, id file.ID, do func(context.Context) error) error {
	_, err := ask(ctx, r, what, id, func(ctx context.Context) (struct{}, error) { return struct{}{}, do(ctx) })
	return err
}

// join returns a context that also ends with the process.
func (p *proc) join(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(p.ctx, func() { cancel(errDied) })
	return ctx, func() { stop(); cancel(nil) }
}

// RequestRelease simulates NOTIFY: every process gets it after some time, or never.
func (r rows) RequestRelease(ctx context.Context, id file.ID) error {
	w := r.p.world
	return tell(ctx, r, "RequestRelease", id, func(context.Context) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, p := range w.procs {
			if p != nil && p.asked != nil {
				asked := p.asked
				go func() {
					if pause(p.ctx, 3*time.Millisecond) {
						asked(id)
					}
				}()
			}
		}
		return nil
	})
}

// Listen simulates LISTEN.
func (r rows) Listen(ctx context.Context, asked func(file.ID), _ func(error)) {
	w := r.p.world
	w.mu.Lock()
	r.p.asked = asked
	w.mu.Unlock()
	<-ctx.Done()
}

// UploadRow and all methods below call db.DB's.
func (r rows) UploadRow(ctx context.Context, id file.ID) (*file.Upload, error) {
	return ask(ctx, r, "UploadRow", id, func(ctx context.Context) (*file.Upload, error) { return r.DB.UploadRow(ctx, id) })
}

func (r rows) Parts(ctx context.Context, id file.ID) ([]file.Part, error) {
	return ask(ctx, r, "Parts", id, func(ctx context.Context) ([]file.Part, error) { return r.DB.Parts(ctx, id) })
}

func (r rows) Final(ctx context.Context, who file.Identity, sources []file.ID) (*file.Upload, error) {
	return ask(ctx, r, "Final", sources[0],
		func(ctx context.Context) (*file.Upload, error) { return r.DB.Final(ctx, who, sources) })
}

func (r rows) SetClaim(ctx context.Context, f file.Fence, sum []byte) error {
	return tell(ctx, r, "SetClaim", f.ID, func(ctx context.Context) error { return r.DB.SetClaim(ctx, f, sum) })
}

func (r rows) DeclareLength(ctx context.Context, f file.Fence, size int64) error {
	return tell(ctx, r, "DeclareLength", f.ID, func(ctx context.Context) error { return r.DB.DeclareLength(ctx, f, size) })
}

func (r rows) DropMultipart(ctx context.Context, f file.Fence) error {
	return tell(ctx, r, "DropMultipart", f.ID, func(ctx context.Context) error { return r.DB.DropMultipart(ctx, f) })
}

func (r rows) SetMultipart(ctx context.Context, f file.Fence, key string, m file.Multipart, size int64) error {
	if r.p.world.isDirect(f.ID) {
		size = r.p.world.plan.Part
	}
	return tell(ctx, r, "SetMultipart", f.ID,
		func(ctx context.Context) error { return r.DB.SetMultipart(ctx, f, key, m, size) })
}

func (r rows) Deleted(ctx context.Context, id file.ID) (*file.Upload, error) {
	return ask(ctx, r, "Deleted", id, func(ctx context.Context) (*file.Upload, error) { return r.DB.Deleted(ctx, id) })
}

func (r rows) ForgetUpload(ctx context.Context, id file.ID) error {
	return tell(ctx, r, "ForgetUpload", id, func(ctx context.Context) error { return r.DB.ForgetUpload(ctx, id) })
}

func (r rows) CutShort(ctx context.Context, after file.ID, limit int) ([]file.ID, error) {
	return ask(ctx, r, "CutShort", "", func(ctx context.Context) ([]file.ID, error) {
		return r.DB.CutShort(ctx, after,
			limit)
	})
}

func (r rows) Untidy(ctx context.Context, after file.ID, limit int) ([]file.ID, error) {
	return ask(ctx, r, "Untidy", "", func(ctx context.Context) ([]file.ID, error) {
		return r.DB.Untidy(ctx, after,
			limit)
	})
}

func (r rows) Tidied(ctx context.Context, id file.ID) error {
	return tell(ctx, r, "Tidied", id, func(ctx context.Context) error { return r.DB.Tidied(ctx, id) })
}

func (r rows) DropOldKeys(ctx context.Context) error {
	return tell(ctx, r, "DropOldKeys", "", r.DB.DropOldKeys)
}

func (r rows) TakeChore(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	return ask(ctx, r, "TakeChore", "",
		func(ctx context.Context) (bool, error) { return r.DB.TakeChore(ctx, name, holder, ttl) })
}

func (r rows) RenewLeases(ctx context.Context, holder string, ttl time.Duration) (map[file.ID]int64, error) {
	return ask(ctx, r, fmt.Sprint("RenewLeases of engine ", r.p.index), "",
		func(ctx context.Context) (map[file.ID]int64, error) { return r.DB.RenewLeases(ctx, holder, ttl) })
}

func (r rows) ReleaseLease(ctx context.Context, id file.ID, epoch int64, settled bool) error {
	return tell(ctx, r, "ReleaseLease", id, func(ctx context.Context) error {
		return r.DB.ReleaseLease(ctx, id, epoch,
			settled)
	})
}

func (r rows) Extend(ctx context.Context, id file.ID) (time.Time, error) {
	return ask(ctx, r, "Extend", id, func(ctx context.Context) (time.Time, error) { return r.DB.Extend(ctx, id) })
}

func (r rows) WithoutSum(ctx context.Context, after file.ID, limit int) ([]file.ID, error) {
	return ask(ctx, r, "WithoutSum", "",
		func(ctx context.Context) ([]file.ID, error) { return r.DB.WithoutSum(ctx, after, limit) })
}

func (r rows) SetSum(ctx context.Context, u *file.Upload, sum []byte) error {
	return tell(ctx, r, "SetSum", u.ID, func(ctx context.Context) error { return r.DB.SetSum(ctx, u, sum) })
}

func (r rows) Refusal(ctx context.Context, id file.ID) (string, error) {
	return ask(ctx, r, "Refusal", id, func(ctx context.Context) (string, error) { return r.DB.Refusal(ctx, id) })
}
