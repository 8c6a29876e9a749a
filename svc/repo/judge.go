package repo

import "errors"

// Judge judges an operation before it is done. The view shows what the batch has written so far,
// and nobody else writes meanwhile. An error refuses the batch. A Judge must not keep the view or
// change the operation.
type Judge func(v *Reader, o *Op) error

// ApplyJudged is Apply of a batch whose every operation the judge lets pass. What it refuses is an
// OpError with its error; nil lets all pass.
func (r *Repo) ApplyJudged(b *Batch, judge Judge) (generation uint64, err error) {
	return r.apply(b, judge)
}

// permit asks about one operation. A group that is open is written first, so that it is seen.
func (w *writer) permit(judge Judge, o *Op) error {
	if judge == nil {
		return nil
	}
	if err := w.flush(); err != nil {
		return err
	}
	return judge(w.Reader, o)
}

// Verify reads everything, and says what is damaged, as Open does. Others read and write
// meanwhile. A CorruptError, whose text is not written to db_errors.
func (r *Repo) Verify() error {
	err := r.View(func(*Reader) error {
		err := verify(r.cfg.Path, r.main, persistent)
		if err == nil && r.vol != nil {
			err = verify(r.cfg.VolatilePath, r.vol, volatile)
		}
		return err
	})
	r.Trim()
	var c *CorruptError
	if errors.As(err, &c) {
		c.Restore = r.cfg.Restore
	}
	return err
}
