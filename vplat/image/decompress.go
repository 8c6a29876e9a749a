package image

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// tarBlockBytes is the unit of a tar archive.
const tarBlockBytes = 512

// readBufBytes between the file and the decoder.
const readBufBytes = 256 << 10

// formats that are recognised by their first bytes. An open that is nil is one that is
// recognised only to say so.
var formats = []struct {
	name  string
	magic string
	open  func(io.Reader) (io.Reader, func(), error)
}{
	{"gzip", "\x1f\x8b", openGzip},
	{"xz", "\xfd7zXZ\x00", openXZ},
	{"zstd", "\x28\xb5\x2f\xfd", openZstd},
	{"bzip2", "BZh", nil},
	{"lz4", "\x04\x22\x4d\x18", nil},
	{"zip", "PK\x03\x04", nil},
	{"squashfs", "hsqs", nil},
	{"qcow2", "QFI\xfb", nil},
	{"7z", "7z\xbc\xaf\x27\x1c", nil},
}

func openGzip(r io.Reader) (io.Reader, func(), error) {
	z, err := gzip.NewReader(r)
	return z, func() {}, err
}

func openXZ(r io.Reader) (io.Reader, func(), error) {
	const dictBytesMin = 1 << 20 // the decoder takes what the block asks for, which the guard has checked
	z, err := xz.ReaderConfig{DictCap: dictBytesMin}.NewReader(newXZGuard(r, xzDictBytesMax))
	return z, func() {}, err
}

// openZstd decodes on the caller's goroutine. The limit of memory is the window's: the
// decoder's own limit of memory is one of unpacked bytes, which are counted here.
func openZstd(r io.Reader) (io.Reader, func(), error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(zstdWindowBytesMax), zstd.WithDecoderMaxMemory(1<<62))
	if err != nil {
		return nil, func() {}, err
	}
	return z, z.Close, nil
}

// packed counts the bytes of an archive as they are read, and keeps errors of reading
// apart from those of decoding.
type packed struct {
	r   io.Reader
	m   *meter
	err error
}

func (p *packed) Read(b []byte) (int, error) {
	if p.err == nil {
		p.err = p.m.cancelled()
	}
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.r.Read(b)
	p.m.now.Bytes += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		p.err = err
	}
	return n, err
}

// unpacked is the decoder's output. It holds the limits on it, and turns every failure of a
// decoder into an error of this package.
type unpacked struct {
	r     io.Reader
	from  *packed
	ratio bool // whether the ratio means anything
	n     int64
	err   error
}

// headerBytes of an entry in the stream: its header and half of a block of padding,
// rounded up.
const headerBytes = 1024

func (u *unpacked) Read(b []byte) (n int, err error) {
	if u.err != nil {
		return 0, u.err
	}
	n, err = u.decode(b)
	u.n += int64(n)
	if err == nil {
		err = u.limits()
	}
	u.err = err
	return n, err
}

// decode calls the decoder; one that panics has met input that its author did not.
func (u *unpacked) decode(b []byte) (n int, err error) {
	defer func() {
		if p := recover(); p != nil {
			n, err = 0, fmt.Errorf("%w: the decoder gave up: %v", ErrCorrupt, p)
		}
	}()
	n, err = u.r.Read(b)
	return n, u.explain(err)
}

// explain maps a decoder's errors to ours.
func (u *unpacked) explain(err error) error {
	switch {
	case err == nil || err == io.EOF:
		return err
	case u.from.err != nil:
		return u.from.err
	case errors.Is(err, ErrDecoderMemory) || errors.Is(err, ErrCorrupt):
		return err
	case errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return fmt.Errorf("%w: a zstd window larger than %d MiB", ErrDecoderMemory, zstdWindowBytesMax>>20)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return ErrTruncated
	}
	return fmt.Errorf("%w: %v", ErrCorrupt, err)
}

func (u *unpacked) limits() error {
	if err := u.from.m.cancelled(); err != nil {
		return err
	}
	lim := u.from.m.lim
	if u.n > lim.BytesMax && u.n-lim.BytesMax > lim.EntriesMax*headerBytes {
		return fmt.Errorf("%w of %d bytes", ErrTooManyBytes, lim.BytesMax)
	}
	if u.ratio && u.n > ratioFloorBytes && u.n/lim.RatioMax > u.from.m.now.Bytes {
		return fmt.Errorf("%w: more than %d to 1", ErrRatio, lim.RatioMax)
	}
	return nil
}

// stream is the tar archive as it is read, with its position.
type stream struct {
	r    *bufio.Reader
	n    int64
	Done func() // releases the decoder
}

func (s *stream) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	s.n += int64(n)
	return n, err
}

// openStream finds out what an archive is and gives its tar stream.
func openStream(from *packed) (*stream, error) {
	in := bufio.NewReaderSize(from, readBufBytes)
	head, err := in.Peek(tarBlockBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(head) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrUnknownFormat)
	}
	if isTar(head) {
		u := &unpacked{r: in, from: from}
		return &stream{r: bufio.NewReaderSize(u, readBufBytes), Done: func() {}}, nil
	}
	for _, f := range formats {
		if !bytes.HasPrefix(head, []byte(f.magic)) {
			continue
		}
		if f.open == nil {
			return nil, fmt.Errorf("%w: it is %s", ErrUnknownFormat, f.name)
		}
		u := &unpacked{from: from, ratio: true}
		done, err := u.start(in, f.open)
		if err != nil {
			return nil, err
		}
		s := &stream{r: bufio.NewReaderSize(u, readBufBytes), Done: done}
		if head, err = s.r.Peek(tarBlockBytes); err == nil || errors.Is(err, io.EOF) {
			if err = nil; !isTar(head) {
				err = fmt.Errorf("%w: what the %s file holds is no tar archive", ErrUnknownFormat, f.name)
			}
		}
		if err != nil {
			done()
			return nil, err
		}
		return s, nil
	}
	return nil, ErrUnknownFormat
}

// start makes the decoder, which reads the first header.
func (u *unpacked) start(in io.Reader, open func(io.Reader) (io.Reader, func(), error)) (done func(), err error) {
	defer func() {
		if p := recover(); p != nil {
			done, err = nil, fmt.Errorf("%w: the decoder gave up: %v", ErrCorrupt, p)
		}
	}()
	u.r, done, err = open(in)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return done, u.explain(err)
}

// isTar knows a tar archive by its first block: the checksum of its header, or zeros
// for an archive without entries. The checksum covers archives older than the magic.
func isTar(block []byte) bool {
	if len(block) < tarBlockBytes {
		return false
	}
	if isZero(block) {
		return true
	}
	_, err := tar.NewReader(bytes.NewReader(block)).Next()
	return err == nil || !errors.Is(err, tar.ErrHeader)
}
