package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/linuxzones/zones/contract"
)

// roleMain is a program that uses the client library:
//
//	own PARAMS FILE COMMAND...  owns a contract with these parameters, notes its number in FILE,
//	                            and waits for a signal
//	late COMMAND...             is too slow for the window of a birth, again and again
func roleMain(role string) int {
	err := func() error {
		switch role {
		case "own":
			return own(os.Args[1], os.Args[2], os.Args[3:])
		case "late":
			return late(os.Args[1:])
		}
		return fmt.Errorf("no role %s", role)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func own(params, file string, argv []string) error {
	f, err := contract.Open()
	if err != nil {
		return err
	}
	t, err := f.Template()
	if err != nil {
		return err
	}
	terms := contract.DefaultTerms()
	if terms.Params, err = contract.ParseParams(params); err != nil {
		return err
	}
	terms.Cookie = 0xc0ffee
	if err := t.Set(terms); err != nil {
		return err
	}
	if got, err := t.Terms(); err != nil || got != terms {
		return fmt.Errorf("the template has %+v, %v", got, err)
	}
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	// Nobody who reads what we write has to wait for the command.
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	ct, _, err := t.Start(path, argv, &os.ProcAttr{Files: []*os.File{null, null, null}})
	if err != nil {
		return err
	}
	if latest, err := f.Latest(); err != nil || latest.ID != ct.ID {
		return fmt.Errorf("the latest contract is %d, not %d: %w", latest.ID, ct.ID, err)
	}
	if err := os.WriteFile(file+".new", fmt.Appendln(nil, ct.ID), 0o600); err != nil {
		return err
	}
	if err := os.Rename(file+".new", file); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
	return nil
}

// late misses the moment of each birth for which there is one.
func late(argv []string) error {
	f, err := contract.Open()
	if err != nil {
		return err
	}
	t, err := f.Template()
	if err != nil {
		return err
	}
	tries, ids := 0, []string{}
	ct, p, err := t.StartFunc(func(b *contract.Birth) (*os.Process, error) {
		tries++
		ids = append(ids, fmt.Sprint(b.ID))
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.ExtraFiles = b.Files([]*os.File{nil, nil, nil})[3:]
		cmd.SysProcAttr = b.Sys(nil)
		own := cmd.Path
		if cmd.Path, cmd.Args = b.Command(cmd.Path, cmd.Args); cmd.Path == own {
			return nil, &os.PathError{Op: "fork/exec", Path: own, Err: syscall.EACCES}
		}
		err := cmd.Start()
		return cmd.Process, err
	})
	if err != nil {
		return err
	}
	fmt.Println(tries, strings.Join(ids, " "), ct.ID, p.Pid)
	return nil
}
