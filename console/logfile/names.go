package logfile

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
)

// Limits of a log, and what a zone has that sets none.
const (
	// BytesUsual and CountUsual keep five MiB: a day of a zone that boots, months of one that
	// runs.
	BytesUsual = 1 << 20
	CountUsual = 4
	// BytesMin holds a boot; BytesMax is what one can still look through.
	BytesMin = 64 << 10
	BytesMax = 1 << 30
	// CountMax older pieces.
	CountMax = 99

	// headerMax is more than a first line has.
	headerMax = 256
	// gapMax is more than ZONE.console.gap has.
	gapMax = 512
	perm   = 0o600
)

// Limits are how long a file grows and how many older ones are kept. Bytes is 0 for no log.
type Limits struct {
	Bytes int64
	Count int
}

// Name is the current file of a zone's log.
func Name(dir, zone string) string { return filepath.Join(dir, zone+".console") }

// older is the name of the i-th older piece; the current one is 0.
func older(name string, i int) string {
	if i == 0 {
		return name
	}
	return name + "." + strconv.Itoa(i)
}

func header(zone string, at wire.Point, now time.Time) string {
	return fmt.Sprintf("[console log 1 of zone %s from %s on, %s]\n", zone, at, now.UTC().Format(time.RFC3339))
}

// parseHeader finds the first line in the beginning of a file.
func parseHeader(b []byte) (at wire.Point, length int, err error) {
	line, _, ok := strings.Cut(string(b[:min(len(b), headerMax)]), "\n")
	words := strings.Split(line, " ")
	if !ok || len(words) != 10 || words[0] != "[console" || words[1] != "log" || words[2] != "1" || words[6] != "from" {
		return at, 0, ErrHeader
	}
	if at, ok = wire.ParsePoint(words[7]); !ok {
		return at, 0, ErrHeader
	}
	return at, len(line) + 1, nil
}

// piece is a file of a log.
type piece struct {
	file   *os.File
	at     wire.Point // of the first byte after the first line
	offset int64      // of that byte
	size   int64
}

// open opens a piece and reads its first line. The file is checked to be one.
func open(name string, flags int) (*piece, error) {
	f, err := os.OpenFile(name, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	p := &piece{file: f}
	if err := p.load(); err != nil {
		f.Close()
		return nil, err
	}
	return p, nil
}

func (p *piece) load() error {
	st, err := p.file.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return ErrHeader
	}
	p.size = st.Size()
	b := make([]byte, headerMax)
	n, err := p.file.ReadAt(b, 0)
	if n == 0 && err != nil {
		return ErrHeader
	}
	at, length, err := parseHeader(b[:n])
	p.at, p.offset = at, int64(length)
	return err
}

// gap is a text in a file that is no output.
type gap struct {
	file   wire.Point // the piece it is in
	offset int64
	lost   uint64
	next   wire.Point // of the byte after it
}

func (g gap) text() string { return wire.LostText(g.lost) }

func (g gap) line() string {
	body := fmt.Sprintf("gap 1 in %s at %d lost %d next %s", g.file, g.offset, g.lost, g.next)
	return fmt.Sprintf("%s sum %08x\n", body, crc32.ChecksumIEEE([]byte(body)))
}

func parseGap(b []byte) (g gap, ok bool) {
	body, sum, ok := strings.Cut(strings.TrimSuffix(string(b), "\n"), " sum ")
	if !ok || sum != fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body))) {
		return g, false
	}
	words := strings.Split(body, " ")
	if len(words) != 10 {
		return g, false
	}
	var in, next bool
	var err, lerr error
	g.file, in = wire.ParsePoint(words[3])
	g.next, next = wire.ParsePoint(words[9])
	g.offset, err = strconv.ParseInt(words[5], 10, 64)
	g.lost, lerr = strconv.ParseUint(words[7], 10, 64)
	return g, in && next && err == nil && lerr == nil && g.offset > 0
}

// replace puts a file under its name, whole or not at all.
func replace(name, text string) error {
	tmp := name + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW|unix.O_NONBLOCK, perm)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, name)
	}
	return err
}

func loadGap(name string) (gap, bool) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return gap{}, false
	}
	defer f.Close()
	b := make([]byte, gapMax)
	n, _ := f.Read(b)
	return parseGap(b[:n])
}

func exists(name string) (bool, error) {
	_, err := os.Lstat(name)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
