package memlog

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Descriptors of the writer process.
const (
	fdLog = 3 + iota
	fdAcks
)

// The writer's state is the number of records that it stands for; record n holds n, and bytes
// that follow from n. So what is found must be an unbroken row of numbers.
func fillRecord(p []byte, n uint64) []byte {
	p = binary.LittleEndian.AppendUint64(p[:0], n)
	for i := range n * 7919 % 600 {
		p = append(p, byte(n+i))
	}
	return p
}

func fillState(n uint64) []byte {
	p := binary.LittleEndian.AppendUint64(nil, n)
	for i := range n * 104729 % 300_000 {
		p = append(p, byte(n^i))
	}
	return p
}

// count reads back how many records were written in all, and fails on any that is not what the
// writer wrote.
func count(state []byte, records func(func([]byte) bool)) (uint64, error) {
	var n uint64
	if state != nil {
		n = binary.LittleEndian.Uint64(state)
		if string(state) != string(fillState(n)) {
			return 0, fmt.Errorf("the state of %d records is damaged", n)
		}
	}
	var want []byte
	for r := range records {
		if want = fillRecord(want, n); string(r) != string(want) {
			return 0, fmt.Errorf("record %d is damaged", n)
		}
		n++
	}
	return n, nil
}

// writerMain goes on where the log ends and acknowledges each record on a pipe, for ever or
// until it kills itself: at its n-th passing of the point that the environment names.
func writerMain() int {
	l, state, records, err := Open(fdLog)
	if err != nil {
		fmt.Fprintln(os.Stderr, "writer:", err)
		return 1
	}
	n, err := count(state, records)
	if err != nil {
		fmt.Fprintln(os.Stderr, "writer:", err)
		return 1
	}
	point := os.Getenv("MEMLOG_TEST_POINT")
	passes, _ := strconv.Atoi(os.Getenv("MEMLOG_TEST_PASSES"))
	crash = func(here string) {
		if here != point {
			return
		}
		if passes--; passes == 0 {
			self, _ := unix.PidfdOpen(os.Getpid(), 0)
			_ = unix.PidfdSendSignal(self, unix.SIGKILL, nil, 0)
			select {}
		}
	}
	var record, ack []byte
	for {
		record = fillRecord(record, n)
		err := l.Append(record)
		if err == ErrFull || n%50 == 49 && l.Records() > 10 {
			if err == nil {
				n++
			}
			err = l.Checkpoint(fillState(n))
		} else if err == nil {
			n++
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "writer:", err)
			return 1
		}
		ack = binary.LittleEndian.AppendUint64(ack[:0], n)
		if _, err := unix.Write(fdAcks, ack); err != nil {
			return 0
		}
	}
}

// runWriter starts a writer, has it killed, and gives the last number that it acknowledged.
func runWriter(t *testing.T, l *Log, lives time.Duration, env ...string) uint64 {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	logFD, err := unix.FcntlInt(uintptr(l.FD()), unix.F_DUPFD_CLOEXEC, 3)
	must(t, err)
	logFile := os.NewFile(uintptr(logFD), "log")
	defer logFile.Close()
	acks, ackEnd, err := os.Pipe()
	must(t, err)
	defer acks.Close()
	cmd := exec.Command(exe)
	cmd.Env = append(append(os.Environ(), role+"=writer"), env...)
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{logFile, ackEnd}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = cmd.Start()
	ackEnd.Close()
	must(t, err)
	var last uint64
	in := bufio.NewReader(acks)
	var kill *time.Timer
	for {
		var b [8]byte
		if _, err := io.ReadFull(in, b[:]); err != nil {
			break
		}
		if kill == nil && lives > 0 { // from the first acknowledgement on
			kill = time.AfterFunc(lives, func() { _ = cmd.Process.Kill() })
		}
		last = binary.LittleEndian.Uint64(b[:])
	}
	if kill != nil {
		kill.Stop()
	}
	err = cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the writer ended by itself: %v", err)
	}
	return last
}

// checkAfterKill wants everything that was acknowledged, and at most one record more.
func checkAfterKill(t *testing.T, l *Log, acked uint64) {
	t.Helper()
	again, state, records, err := Open(l.FD())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	n, err := count(state, records)
	if err != nil {
		t.Fatal(err)
	}
	if n != acked && n != acked+1 {
		t.Fatalf("%d records are there, %d were acknowledged", n, acked)
	}
}

// TestKilledAnywhere kills the writer hundreds of times at instants that nobody chose.
func TestKilledAnywhere(t *testing.T) {
	l := create(t, 4<<20)
	kills := 300
	if testing.Short() {
		kills = 40
	}
	random := rand.New(rand.NewPCG(3, 4))
	var last uint64
	for range kills {
		acked := runWriter(t, l, 1+time.Duration(random.IntN(3_000_000)))
		if acked < last {
			t.Fatalf("%d acknowledged after %d", acked, last)
		}
		last = acked
		checkAfterKill(t, l, acked)
	}
	t.Logf("%d kills, %d records", kills, last)
}

// TestKilledAtEachPoint kills it where it hurts most.
func TestKilledAtEachPoint(t *testing.T) {
	for _, point := range []string{"append", "state", "flip", "release"} {
		l := create(t, 4<<20)
		// Mostly the first pass of each process: what its predecessor left undone shows there.
		for _, passes := range []int{1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 3, 5, 8} {
			acked := runWriter(t, l, 0, "MEMLOG_TEST_POINT="+point, fmt.Sprint("MEMLOG_TEST_PASSES=", passes))
			if acked == 0 { // killed before the first acknowledgement
				continue
			}
			checkAfterKill(t, l, acked)
		}
	}
}
