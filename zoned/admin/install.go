package admin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/vplat"
	"github.com/linuxzones/zones/vplat/image"
)

// Images puts root file systems on disk and takes them away; Disk is the real one.
type Images interface {
	MakeZonePath(path string) error
	VerifyZonePath(path string) error
	Install(ctx context.Context, t image.Target, s image.Source, o image.Options) (image.Report, error)
	Uninstall(ctx context.Context, zonepath string, progress func(image.Progress)) (image.Removal, error)
}

// Disk is Images as package image does it.
type Disk struct{}

// MakeZonePath makes the zonepath.
func (Disk) MakeZonePath(path string) error { return image.MakeZonePath(path) }

// VerifyZonePath says whether a zone can live there.
func (Disk) VerifyZonePath(path string) error { return image.VerifyZonePath(path) }

// Install fills ZONEPATH/root.
func (Disk) Install(ctx context.Context, t image.Target, s image.Source, o image.Options) (image.Report, error) {
	return image.Install(ctx, t, s, o)
}

// Uninstall removes the zonepath.
func (Disk) Uninstall(ctx context.Context, zonepath string, progress func(image.Progress)) (image.Removal, error) {
	return image.Uninstall(ctx, zonepath, progress)
}

// SourceOptions are install's -a and -d; at most one is set.
type SourceOptions struct {
	Archive   string
	Directory string
}

// UsageError is a command line that makes no sense; exit code 2.
type UsageError struct{ Why string }

func (e *UsageError) Error() string { return e.Why }

// Source decides what a zone of a brand is installed from. It is pure.
func Source(brand configs.Brand, o SourceOptions) (image.Source, error) {
	given := o.Archive != "" || o.Directory != ""
	switch {
	case o.Archive != "" && o.Directory != "":
		return image.Source{}, &UsageError{"-a and -d are mutually exclusive"}
	case brand.HostSoftware && given:
		return image.Source{}, &UsageError{fmt.Sprintf("a zone of brand %s is installed from the host: -a and -d are not for it", brand.Name)}
	case brand.HostSoftware:
		return image.Source{Kind: image.Sparse}, nil
	case brand.Name == "oci":
		return image.Source{}, errors.New("zones of brand oci cannot be installed by this version")
	case !given:
		return image.Source{}, &UsageError{fmt.Sprintf("a zone of brand %s needs an archive (-a FILE) or a directory (-d DIR) to be installed from", brand.Name)}
	case o.Archive != "":
		return image.Source{Kind: image.Archive, Path: o.Archive}, nil
	}
	return image.Source{Kind: image.Directory, Path: o.Directory}, nil
}

// Install populates the zone's root. The index says incomplete before the first file is
// written, and installed after the last was synced.
func (a *Admin) Install(ctx context.Context, o SourceOptions) error {
	if _, err := a.Sane(Install, Unforced); err != nil {
		return err
	}
	z, _, err := a.Store.Load(a.Zone)
	if err != nil {
		return err
	}
	brand, err := configs.LookupBrand(z.Brand)
	if err != nil {
		return err
	}
	src, err := Source(brand, o)
	if err != nil {
		return err
	}
	if err := checkSource(&src); err != nil {
		return err
	}
	if err := a.Verify(Install); err != nil {
		return err
	}
	release, err := a.lock(alone)
	if err != nil {
		return err
	}
	defer release()
	if err := a.Image.MakeZonePath(z.Path); err != nil {
		return err
	}
	// From here on only uninstall leads back. The check of the state and its change are one,
	// so that of two installers that came this far one after the other the second stops.
	if err := a.Store.SetState(a.Zone, configs.Incomplete, configs.Configured); err != nil {
		return a.stateChanged(Install, err)
	}
	return a.fill(ctx, z, src)
}

// fill does the long part of an installation.
func (a *Admin) fill(ctx context.Context, z *configs.Zone, src image.Source) error {
	began := time.Now()
	show := a.transient()
	rep, err := a.Image.Install(ctx, image.Target{ZonePath: z.Path}, src, image.Options{
		Hostname: hostname(z), Progress: show.work("installing"),
	})
	show.clear()
	if err != nil {
		return fmt.Errorf("%w; the zone is incomplete: uninstall it before another try", err)
	}
	if err := a.Store.SetState(a.Zone, configs.Installed, configs.Incomplete); err != nil {
		return fmt.Errorf("the root is complete, but the index could not be written: %w; the zone is incomplete: uninstall it before another try", err)
	}
	a.report(rep, time.Since(began))
	return nil
}

// hostname is the name that a sparse zone's files carry: the attribute's, else the zone's.
func hostname(z *configs.Zone) string {
	for _, at := range z.Attrs {
		if at.Name == vplat.AttrHostname {
			return at.Value
		}
	}
	return z.Name
}

// checkSource makes the path absolute and says early what would fail anyway, before the
// zone is marked incomplete.
func checkSource(s *image.Source) error {
	if s.Kind == image.Sparse {
		return nil
	}
	abs, err := filepath.Abs(s.Path)
	if err != nil {
		return fmt.Errorf("%s %q: %w", s.Kind, s.Path, err)
	}
	st, err := os.Stat(abs)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", s.Kind, err)
	case s.Kind == image.Archive && !st.Mode().IsRegular():
		return fmt.Errorf("archive %q: not a regular file", s.Path)
	case s.Kind == image.Directory && !st.IsDir():
		return fmt.Errorf("directory %q: not a directory", s.Path)
	}
	if err := accessible(abs); err != nil {
		return fmt.Errorf("%s %q: %w", s.Kind, s.Path, err)
	}
	s.Path = abs
	return nil
}

// report says what came of an installation: what may be wrong to everybody, the rest only to
// a person at a terminal.
func (a *Admin) report(r image.Report, took time.Duration) {
	if r.Changed > 0 {
		a.Say(fmt.Sprintf("WARNING: %d files changed while they were copied and may be inconsistent.", r.Changed))
	}
	if !a.ErrTTY {
		return
	}
	a.Say(fmt.Sprintf("installed: %d files, %d directories, %s, in %.1f seconds.", r.Files, r.Directories, size(r.Bytes), took.Seconds()))
	if n := r.DevicesSkipped + r.SocketsSkipped; n > 0 {
		a.Say(fmt.Sprintf("%d devices and sockets of the source were left out; the platform makes its own.", n))
	}
	if r.Withheld > 0 {
		a.Say(fmt.Sprintf("%d files of the host's /etc were withheld, since they may hold secrets.", r.Withheld))
	}
}

// stateChanged explains that the zone's state is not what it was when it was checked.
func (a *Admin) stateChanged(cmd Command, err error) error {
	if !errors.Is(err, configs.ErrState) {
		return err
	}
	if _, why := a.Sane(cmd, Unforced); why != nil {
		return why
	}
	return err
}
