package admin

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"
)

// TestInterruptedQuestionTakesNoAnswer: what is typed after ^C is no consent.
func TestInterruptedQuestionTakesNoAnswer(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	ctx, interrupt := context.WithCancelCause(context.Background())
	interrupted := errors.New("interrupted")
	interrupt(interrupted)
	if _, err := w.WriteString("y\n"); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	a := &Admin{Zone: "web", Streams: Streams{In: r, Out: &out, InTTY: true}}
	if yes, err := a.confirm(ctx, Uninstall); yes || !errors.Is(err, interrupted) {
		t.Fatalf("%v, %v: want no answer and the interruption", yes, err)
	}
	if yes, err := a.confirm(context.Background(), Uninstall); !yes || err != nil {
		t.Fatalf("%v, %v: a plain yes", yes, err)
	}
}
