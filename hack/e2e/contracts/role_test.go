package contracts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/linuxzones/zones/contract"
)

// roleVariable makes this program a workload in a zone rather than a test.
const roleVariable = "ZONES_CONTRACTS_ROLE"

// actor is where the program lies in a zone.
const actor = "/var/tmp/actor"

// as is the shell command that plays a role.
func as(role string, args ...string) string {
	cmd := roleVariable + "=" + role + " " + actor
	for _, a := range args {
		cmd += " " + a
	}
	return cmd
}

func play(role string, args []string) int {
	var err error
	switch role {
	case "births":
		err = births(args[0], args[1])
	case "storm":
		err = storm(args[0])
	case "hold":
		err = hold(args[0])
	default:
		err = fmt.Errorf("no role %q", role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "actor:", err)
		return 1
	}
	return 0
}

// terms are what births asks for.
var terms = contract.Terms{
	Cookie: 0x5afe, Informative: contract.Fork | contract.Exit, Critical: contract.Empty, Fatal: contract.Hwerr, FMRI: contract.InheritFMRI,
}

// births makes one contract after the other until the file stop is there, each with one process
// that ends with a status of its own, and follows what it is told of it to the end. Its record:
//
//	made CT PID STATUS      what it did itself
//	told CT EVID KIND PID STATUS
//	done                    the last line
//
// and "failed ..." when something went wrong.
func births(stop, record string) error {
	log, err := os.OpenFile(record, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	if err := bear(stop, log); err != nil {
		fmt.Fprintln(log, "failed", err)
		return err
	}
	_, err = fmt.Fprintln(log, "done")
	return err
}

func bear(stop string, log *os.File) error {
	fs, err := contract.Open()
	if err != nil {
		return err
	}
	events, err := fs.PBundle()
	if err != nil {
		return err
	}
	defer events.Close()
	template, err := fs.Template()
	if err != nil {
		return err
	}
	defer template.Close()
	if err := template.Set(terms); err != nil {
		return err
	}
	var kept []*contract.Contract
	for n := 0; ; n++ {
		if _, err := os.Stat(stop); err == nil {
			return nil
		}
		c, err := bearOne(n, template, events, log)
		if err != nil {
			return fmt.Errorf("birth %d: %w", n, err)
		}
		if kept = append(kept, c); len(kept) < keptMax {
			continue
		}
		if err := kept[0].Abandon(); err != nil {
			return fmt.Errorf("abandon contract %d: %w", kept[0].ID, err)
		}
		kept = kept[1:]
	}
}

// keptMax is how many empty contracts the workload keeps: the events of a contract that is dead
// vanish, and others want to read them.
const keptMax = 200

// eventTime bounds the wait for what must come; a supervisor that was killed is back before.
const eventTime = 2 * time.Minute

func bearOne(n int, template *contract.Template, events *contract.Reader, log *os.File) (*contract.Contract, error) {
	status := n % 200
	c, p, err := template.Start("/bin/sh", []string{"sh", "-c", "exit " + strconv.Itoa(status)}, nil)
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	if _, err := p.Wait(); err != nil {
		return nil, fmt.Errorf("wait: %w", err)
	}
	fmt.Fprintln(log, "made", c.ID, p.Pid, status)
	ctx, cancel := context.WithTimeout(context.Background(), eventTime)
	defer cancel()
	for {
		e, err := events.Next(ctx)
		if err != nil {
			return nil, fmt.Errorf("contract %d: events: %w", c.ID, err)
		}
		fmt.Fprintln(log, "told", e.CT, e.ID, e.Kind, e.Pid, e.Status>>8)
		if e.CT != c.ID || e.Kind != contract.Empty {
			continue
		}
		if err := c.Ack(e.ID); err != nil {
			return nil, fmt.Errorf("contract %d: acknowledge: %w", c.ID, err)
		}
		return c, nil
	}
}

// storm has one contract in which processes are born and end, so many.
func storm(many string) error {
	fs, err := contract.Open()
	if err != nil {
		return err
	}
	template, err := fs.Template()
	if err != nil {
		return err
	}
	defer template.Close()
	if err := template.Set(terms); err != nil {
		return err
	}
	c, p, err := template.Start("/bin/sh", []string{"sh", "-c", "i=0; while [ $i -lt " + many + " ]; do /bin/true; i=$((i+1)); done"}, nil)
	if err != nil {
		return err
	}
	if _, err := p.Wait(); err != nil {
		return err
	}
	fmt.Println("done", c.ID)
	return nil
}

// hold makes contracts with a process each, which nobody ends, until it is refused, and prints
// how many there were and why there is no more.
func hold(most string) error {
	limit, err := strconv.Atoi(most)
	if err != nil {
		return err
	}
	fs, err := contract.Open()
	if err != nil {
		return err
	}
	template, err := fs.Template()
	if err != nil {
		return err
	}
	defer template.Close()
	for n := 0; ; n++ {
		if n == limit {
			fmt.Println(n, "enough")
			return nil
		}
		_, p, err := template.Start("/bin/sleep", []string{"sleep", "1000"}, nil)
		var errno interface{ Error() string }
		if errors.As(err, &errno) {
			fmt.Println(n, errno.Error())
			return nil
		}
		defer func() { _ = p.Kill(); _, _ = p.Wait() }()
	}
}
