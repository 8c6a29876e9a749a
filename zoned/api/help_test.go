package api_test

import (
	"os"
	"os/signal"
	"testing"
)

// ignoreForTest ignores signals until the test ends.
func ignoreForTest(t *testing.T, sigs ...os.Signal) {
	signal.Ignore(sigs...)
	t.Cleanup(func() { signal.Reset(sigs...) })
}
