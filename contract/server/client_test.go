package server

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/linuxzones/zones/contract"
)

// clients are what the test's program does in a zone: the path of the file system comes first.
var clients = map[string]func(args []string) error{
	"start": startClient,
}

// startClient starts a command in a contract and waits for it: TERMS (lines) CMD ARG...
func startClient(args []string) error {
	fs, err := contract.OpenAt(args[0])
	if err != nil {
		return err
	}
	t, err := fs.Template()
	if err != nil {
		return err
	}
	terms, err := parseTerms(args[1])
	if err != nil {
		return err
	}
	if err := t.Set(terms); err != nil {
		return err
	}
	ct, p, err := t.Start(args[2], args[2:], &os.ProcAttr{Env: os.Environ(), Files: []*os.File{nil, os.Stdout, os.Stderr}})
	if err != nil {
		return err
	}
	st, err := p.Wait()
	if err != nil {
		return err
	}
	fmt.Printf("contract %d pid %d exit %d\n", ct.ID, p.Pid, st.ExitCode())
	ev, err := ct.Events()
	if err != nil {
		return err
	}
	defer ev.Close()
	if err := ev.Reset(); err != nil {
		return err
	}
	for {
		e, err := ev.Next(context.Background())
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		fmt.Printf("event %s\n", strings.TrimSpace(string(contract.AppendEvent(nil, &e, false))))
		if e.Kind == contract.Empty {
			break
		}
	}
	return ct.Abandon()
}

func parseTerms(lines string) (contract.Terms, error) {
	terms := contract.DefaultTerms()
	for line := range strings.Lines(lines) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if err := contract.ParseTerm(&terms, line); err != nil {
			return terms, err
		}
	}
	return terms, nil
}

func serverMain(args []string) error { return nil }
