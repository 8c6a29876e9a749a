package table

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/linuxzones/zones/contract"
)

// populate makes a table of n contracts with members, of one owner for every hundred of them,
// each with one event to acknowledge.
func populate(tb testing.TB, n int) *Table {
	tb.Helper()
	t := New(Config{ContractsMax: uint32(n) + 100, UIDCount: 65536})
	terms := contract.DefaultTerms()
	terms.Informative |= contract.Fork | contract.Exit
	terms.FMRI = contract.InheritFMRI
	for i := range n {
		id := contract.ID(i + 1)
		mustApply(tb, t, &Op{Kind: Make, CT: id, Terms: terms, Proc: Proc{Pid: int32(2 + i/100), Start: 1, ZPid: 1}, Cred: root, Comm: "svc.startd"})
	}
	return t
}

func mustApply(tb testing.TB, t *Table, op *Op) Result {
	r := t.Apply(op)
	if r.Errno != 0 {
		tb.Fatalf("%+v: %v", op, r.Errno)
	}
	return r
}

func sizes(b *testing.B, f func(*testing.B, *Table, int)) {
	for _, n := range []int{10, 1000, 10000} {
		b.Run(fmt.Sprintf("contracts=%d", n), func(b *testing.B) {
			t := populate(b, n)
			t.Work()
			b.ReportAllocs()
			b.ResetTimer()
			f(b, t, n)
		})
	}
}

// BenchmarkHappened: an event that nobody listens for.
func BenchmarkHappened(b *testing.B) {
	sizes(b, func(b *testing.B, t *Table, n int) {
		op := Op{Kind: Happened, Fact: Fact{Event: contract.Fork, Member: member, Parent: maker}}
		for i := range b.N {
			op.CT, op.EV = contract.ID(i%n+1), contract.EventID(i+1)
			mustApply(b, t, &op)
		}
	})
}

// BenchmarkHappenedAndRead: an event, its reader's wake-up and its line.
func BenchmarkHappenedAndRead(b *testing.B) {
	sizes(b, func(b *testing.B, t *Table, n int) {
		mustApply(b, t, &Op{Kind: OpenBundle, FH: 1, Cred: root})
		op := Op{Kind: Happened, Fact: Fact{Event: contract.Fork, Member: member, Parent: maker}}
		read := Op{Kind: Read, FH: 1, Max: 4096}
		for i := range b.N {
			op.CT, op.EV, op.Now = contract.ID(i%n+1), contract.EventID(i+1), int64(i)
			mustApply(b, t, &op)
			t.Work()
			mustApply(b, t, &read)
		}
	})
}

// BenchmarkCritical: an event to acknowledge, told, read and acknowledged.
func BenchmarkCritical(b *testing.B) {
	sizes(b, func(b *testing.B, t *Table, n int) {
		p := Proc{Pid: 2, Start: 1}
		mustApply(b, t, &Op{Kind: OpenPBundle, FH: 1, Proc: p, Cred: root})
		op := Op{Kind: Happened, Fact: Fact{Event: contract.Hwerr, Member: member}}
		read := Op{Kind: Read, FH: 1, Max: 4096}
		ack := Op{Kind: Ack, Proc: p}
		for i := range b.N {
			op.CT, op.EV = contract.ID(i%min(n, 100)+1), contract.EventID(i+1)
			mustApply(b, t, &op)
			mustApply(b, t, &read)
			ack.CT, ack.EV = op.CT, op.EV
			mustApply(b, t, &ack)
			mustApply(b, t, &Op{Kind: Killed, CT: op.CT, EV: contract.EventID(i + 1)})
		}
	})
}

// BenchmarkLife: a contract from its template to its end.
func BenchmarkLife(b *testing.B) {
	sizes(b, func(b *testing.B, t *Table, n int) {
		mustApply(b, t, &Op{Kind: OpenTemplate, FH: 1, Cred: root})
		for i := range b.N {
			id, ev := contract.ID(n+i+1), contract.EventID(i+1)
			mustApply(b, t, &Op{Kind: Activate, FH: 1, CT: id, Proc: maker, Cred: root, Comm: "sh"})
			mustApply(b, t, &Op{Kind: Born, FH: 1})
			mustApply(b, t, &Op{Kind: Happened, CT: id, EV: ev, Fact: Fact{Event: contract.Empty}})
			mustApply(b, t, &Op{Kind: Ack, CT: id, EV: ev, Proc: maker})
			mustApply(b, t, &Op{Kind: Abandon, CT: id, Proc: maker})
			t.Work()
			mustApply(b, t, &Op{Kind: Removed, CT: id})
		}
	})
}

// BenchmarkOwnerExit: an owner of one contract dies, beside however many others.
func BenchmarkOwnerExit(b *testing.B) {
	sizes(b, func(b *testing.B, t *Table, n int) {
		terms := contract.DefaultTerms()
		for i := range b.N {
			id, ev := contract.ID(n+i+1), contract.EventID(i+1)
			mustApply(b, t, &Op{Kind: Make, CT: id, Terms: terms, Proc: maker, Cred: root})
			mustApply(b, t, &Op{Kind: Happened, CT: id, EV: ev, Fact: Fact{Event: contract.Empty}})
			mustApply(b, t, &Op{Kind: OwnerExit, Proc: maker})
			mustApply(b, t, &Op{Kind: Removed, CT: id})
			t.Work()
		}
	})
}

// BenchmarkResetAndClose: a reader that goes to the oldest event and leaves, with an event to
// acknowledge in each contract.
func BenchmarkResetAndClose(b *testing.B) {
	sizes(b, func(b *testing.B, t *Table, n int) {
		for i := range n {
			mustApply(b, t, &Op{Kind: Happened, CT: contract.ID(i + 1), EV: contract.EventID(i + 1), Fact: Fact{Event: contract.Empty}})
		}
		b.ResetTimer()
		for range b.N {
			mustApply(b, t, &Op{Kind: OpenBundle, FH: 1, Cred: root})
			mustApply(b, t, &Op{Kind: Reset, FH: 1})
			mustApply(b, t, &Op{Kind: Close, FH: 1})
		}
	})
}

func BenchmarkWork(b *testing.B) {
	sizes(b, func(b *testing.B, t *Table, _ int) {
		for range b.N {
			t.Work()
		}
	})
}

func BenchmarkStatus(b *testing.B) {
	sizes(b, func(b *testing.B, t *Table, n int) {
		for i := range b.N {
			t.Status(contract.ID(i%n + 1))
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	sizes(b, func(b *testing.B, t *Table, _ int) {
		var buffer []byte
		for range b.N {
			buffer = t.Append(buffer[:0])
		}
		b.ReportMetric(float64(len(buffer)), "bytes")
	})
}

func BenchmarkDecode(b *testing.B) {
	sizes(b, func(b *testing.B, t *Table, _ int) {
		encoded := t.Encode()
		for range b.N {
			if _, err := Decode(encoded); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkOpEncode(b *testing.B) {
	op := Op{Kind: Happened, Now: 1 << 60, CT: 7, EV: 1 << 40, Fact: Fact{Event: contract.Fork, Member: member, Parent: maker}}
	var buffer []byte
	b.ReportAllocs()
	for range b.N {
		buffer = op.Append(buffer[:0])
	}
	b.ReportMetric(float64(len(buffer)), "bytes")
}

func BenchmarkOpDecode(b *testing.B) {
	op := Op{Kind: Happened, Now: 1 << 60, CT: 7, EV: 1 << 40, Fact: Fact{Event: contract.Fork, Member: member, Parent: maker}}
	encoded := op.Encode()
	b.ReportAllocs()
	for range b.N {
		if _, err := DecodeOp(encoded); err != nil {
			b.Fatal(err)
		}
	}
}

// TestMemoryOfIdleContracts holds what a contract costs that nothing happens to.
func TestMemoryOfIdleContracts(t *testing.T) {
	const n, bytesMax = 10000, 512
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	tab := populate(t, n)
	tab.Work()
	made := (heap() - before) / n
	encoded := tab.Encode()
	tab = nil
	before = heap()
	tab, err := Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	tab.Work()
	decoded := (heap() - before) / n
	t.Logf("an idle contract costs %d bytes, taken up %d, encoded %d", made, decoded, len(encoded)/n)
	if made > bytesMax || decoded > bytesMax {
		t.Errorf("an idle contract costs %d bytes, taken up %d; want at most %d", made, decoded, bytesMax)
	}
	runtime.KeepAlive(tab)
}
