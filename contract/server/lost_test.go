package server

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/testenv"
)

// forksScript forks as often as each line that it reads says.
const forksScript = `while read n; do i=0; while [ $i -lt $n ]; do (exit 3); i=$((i + 1)); done; echo did $n; done`

// forksClient has a shell in a new contract fork, and ends with it: "in CTID" comes first. What
// the shell says is the client's.
func forksClient(args []string) error {
	fs, err := contract.OpenAt(args[0])
	if err != nil {
		return err
	}
	t, err := fs.Template()
	if err != nil {
		return err
	}
	terms := contract.DefaultTerms()
	terms.Informative, terms.Critical = contract.Fork|contract.Exit, contract.Empty
	if err := t.Set(terms); err != nil {
		return err
	}
	in, w, err := os.Pipe()
	if err != nil {
		return err
	}
	ct, p, err := t.Start("/bin/sh", []string{"sh", "-c", forksScript}, &os.ProcAttr{
		Env: os.Environ(), Files: []*os.File{in, os.Stdout, os.Stderr},
	})
	in.Close()
	if err != nil {
		return err
	}
	fmt.Println("in", ct.ID)
	_, err = io.Copy(w, os.Stdin)
	w.Close()
	if err != nil {
		return err
	}
	_, err = p.Wait()
	return err
}

// tally is what a reader was told of one contract, up to its emptiness.
type tally struct {
	forks, exits, losses int
	lost                 uint64
}

// tally reads what is told of a contract.
func (f *follower) tally(ct string) (n tally) {
	f.t.Helper()
	for {
		lines := f.until("")
		e, err := contract.ParseEvent(lines[0])
		check(f.t, err)
		if fmt.Sprint(e.CT) != ct {
			continue
		}
		switch e.Kind {
		case contract.Fork:
			n.forks++
		case contract.Exit:
			n.exits++
		case contract.Lost:
			n.losses++
			n.lost += e.Count
		case contract.Empty:
			return n
		}
	}
}

// Whoever is born and has ended while no server lives is told of all the same, by whichever of
// its successors comes as far as that; what one of them had taken and not written down is told
// by the next.
func TestBornAndGoneWhileDead(t *testing.T) {
	r, c := startChild(t, withBPF)
	reader := r.following(r.client(0, "read", "bundle"))
	reader.until("ready")
	born, deaths := 0, map[string]int{}
	for _, point := range []string{"journal", "applied", "made", "removed"} {
		client := r.following(r.client(0, "forks"))
		ct := strings.TrimPrefix(client.until("in ")[0], "in ")
		c.kill()
		_, err := fmt.Fprintln(client.in, 100)
		check(t, err)
		client.until("did 100")
		check(t, client.in.(io.Closer).Close())
		for range client.lines {
		}
		for _, nth := range []int{1, 2, 3, 50} {
			// What it is to die at may be done already: then it lives, and is killed.
			c = r.spawnFor(point, nth)
			within := 200 * time.Millisecond
			if nth == 1 && (point == "journal" || point == "applied") { // where whoever tells anything comes
				within = 20 * time.Second
			}
			select {
			case <-c.ended:
			case <-time.After(testenv.Deadline(within)):
				c.kill()
			}
			deaths[c.died()]++
		}
		c = r.spawn(0)
		if n := reader.tally(ct); n != (tally{forks: 101, exits: 101}) {
			t.Errorf("killed at %q: %+v", point, n)
		}
		born += 101
	}
	if deaths["journal"] == 0 || deaths["applied"] == 0 {
		t.Errorf("the servers died at %v", deaths)
	}
	t.Logf("%d processes, servers died at %v", born, deaths)
}

// What had no place in the ring while no server lived is counted, and told once, whichever of
// its successors dies where while it tells: all that happened is told, or told to be lost. That
// holds for a contract too whose members, and whose owner, have ended by then.
func TestLostWhileDead(t *testing.T) {
	const storm = 400 // births and ends of so many are several times as much as the ring holds
	for _, gone := range []bool{false, true} {
		t.Run(map[bool]string{false: "lives", true: "gone"}[gone], func(t *testing.T) {
			r, c := startChild(t, withRing(16<<10))
			reader := r.following(r.client(0, "read", "bundle"))
			reader.until("ready")
			client := r.following(r.client(0, "forks"))
			ct := strings.TrimPrefix(client.until("in ")[0], "in ")
			born := 1
			forks := func(n int) {
				born += n
				_, err := fmt.Fprintln(client.in, n)
				check(t, err)
				client.until(fmt.Sprint("did ", n))
			}
			c.kill()
			forks(storm)
			if gone {
				check(t, client.in.(io.Closer).Close())
				for range client.lines {
				}
			}
			// Killed before the loss is written down, then right after.
			for _, nth := range []int{1, 2} {
				c = r.spawnFor("lost", nth)
				select {
				case <-c.ended:
				case <-time.After(testenv.Deadline(20 * time.Second)):
					t.Fatal("the server tells of no loss")
				}
				if at := c.died(); at != "lost" {
					t.Fatalf("the server died at %q", at)
				}
			}
			c = r.spawn(0)
			if !gone {
				forks(5)
				c.kill()
				c = r.spawn(0)
				forks(5)
				check(t, client.in.(io.Closer).Close())
			}
			n := reader.tally(ct)
			if n.lost == 0 || uint64(n.forks+n.exits)+n.lost != uint64(2*born) {
				t.Errorf("%d processes: %+v", born, n)
			}
			t.Logf("%d processes: %+v", born, n)
		})
	}
}

// A server that has confirmed a birth before the kernel's word of it reached it, and dies then,
// has left its contract registered as one that nobody was born into. Births that the contract's
// owner can do without have no part of the room that is kept for what is critical for all that,
// and what is told in another way, that it is empty, is not counted among what was lost.
func TestLostAfterBirth(t *testing.T) {
	r, c := startChild(t, withRing(16<<10))
	reader := r.following(r.client(0, "read", "bundle"))
	reader.until("ready")
	c.kill()
	confirmed := false
	for nth := 1; !confirmed; nth++ {
		c = r.spawnWith(order{CrashIn: "answered", CrashAt: nth, Deaf: true})
		client := r.following(r.client(0, "forks"))
		select {
		case <-c.ended:
		case <-time.After(testenv.Deadline(20 * time.Second)):
			t.Fatalf("a birth is of fewer than %d answers", nth)
		}
		select {
		case line := <-client.lines:
			confirmed = true
			lostAfter(t, r, reader, client, strings.TrimPrefix(line, "in "))
		case <-time.After(testenv.Deadline(300 * time.Millisecond)): // the next one confirms it
			r.spawn(0)
			client.until("in ")
			check(t, client.in.(io.Closer).Close())
			for range client.lines {
			}
			r.child.kill()
		}
	}
}

// lostAfter has the contract's shell fork while there is no server, and judges what is told of it.
func lostAfter(t *testing.T, r *rig, reader, client *follower, ct string) {
	t.Helper()
	const storm = 400
	_, err := fmt.Fprintln(client.in, storm)
	check(t, err)
	client.until(fmt.Sprint("did ", storm))
	check(t, client.in.(io.Closer).Close())
	for range client.lines {
	}
	c := r.spawn(0)
	n := reader.tally(ct)
	if uneven := n.forks - n.exits; n.lost == 0 || uneven < 0 || uneven > 2 || uint64(n.forks+n.exits)+n.lost != 2*(storm+1) {
		t.Errorf("%+v", n)
	}
	t.Logf("%+v", n)
	c.kill()
}
