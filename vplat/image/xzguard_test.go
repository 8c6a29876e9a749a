package image

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/ulikunitz/xz"
)

// xzPacked compresses with the Go encoder.
func xzPacked(tb testing.TB, data []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	w, err := xz.WriterConfig{DictCap: 1 << 20, BlockSize: 64 << 10}.NewWriter(&b)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// xzAsking changes the dictionary size of the first block to what a code stands for.
func xzAsking(tb testing.TB, code byte) []byte {
	tb.Helper()
	b := xzPacked(tb, makeTar(tb, withOS()...))
	header := b[xzHeaderBytes:]
	size := (int(header[0]) + 1) * xzAlign
	at := bytes.Index(header[:size], []byte{xzFilterLZMA2, 1})
	header[at+2] = code
	sum := crc32.ChecksumIEEE(header[:size-4])
	header[size-4], header[size-3], header[size-2], header[size-1] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
	return b
}

func mixed(n int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(rnd.Uint32()) // chunks that do not compress
		if i%200_000 > 100_000 {
			data[i] = byte(i / 7)
		}
	}
	return data
}

// TestXZGuardPasses: well-formed files pass unchanged, however they are cut into reads,
// with several blocks, streams and padding.
func TestXZGuardPasses(t *testing.T) {
	one := xzPacked(t, mixed(500_000))
	files := map[string][]byte{
		"one stream":  one,
		"empty":       xzPacked(t, nil),
		"two streams": append(bytes.Clone(one), one...),
		"padding":     append(append(bytes.Clone(one), make([]byte, 8)...), one...),
	}
	for name, data := range files {
		for how, r := range map[string]io.Reader{
			"whole": bytes.NewReader(data), "bytes": iotest.OneByteReader(bytes.NewReader(data)),
			"halves": iotest.HalfReader(bytes.NewReader(data)),
		} {
			got, err := io.ReadAll(newXZGuard(r, 1<<20))
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s by %s: %v", name, how, err)
			}
		}
	}
}

// TestXZGuardEveryBlock: the second block is looked at as well as the first.
func TestXZGuardEveryBlock(t *testing.T) {
	data := xzPacked(t, mixed(200_000))
	huge := xzAsking(t, 40)
	data = append(data, huge...)
	_, err := io.ReadAll(newXZGuard(bytes.NewReader(data), xzDictBytesMax))
	if !errors.Is(err, ErrDecoderMemory) {
		t.Errorf("got %v", err)
	}
}

func TestXZDictionarySizes(t *testing.T) {
	for code, want := range map[byte]error{0: nil, 22: nil, 30: nil, 31: ErrDecoderMemory, 40: ErrDecoderMemory, 41: ErrCorrupt} {
		_, err := io.ReadAll(newXZGuard(bytes.NewReader(xzAsking(t, code)), xzDictBytesMax))
		if !errors.Is(err, want) {
			t.Errorf("code %d: got %v, want %v", code, err, want)
		}
	}
}

// FuzzXZGuard: the guard refuses nothing that the decoder takes, never panics, and gives
// out what it got.
func FuzzXZGuard(f *testing.F) {
	f.Add(xzPacked(f, mixed(1000)))
	f.Add(xzPacked(f, nil))
	f.Add(xzAsking(f, 40))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, guardErr := io.ReadAll(newXZGuard(bytes.NewReader(data), 1<<20))
		if guardErr == nil && !bytes.Equal(out, data) {
			t.Fatal("changed")
		}
		if guardErr == nil || errors.Is(guardErr, ErrDecoderMemory) {
			return
		}
		r, err := xz.NewReader(bytes.NewReader(data))
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, io.LimitReader(r, 1<<24)); err == nil {
			t.Fatalf("refused what can be decoded: %v", guardErr)
		}
	})
}
