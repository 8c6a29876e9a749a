// Package testenv is what tests stand on: a real kernel, kept clean.
//
// It owns the leak check (Main), the probes that may skip a test (Need, NeedRoot), the
// fixtures made once for a machine (BusyboxRoot, DebianRoot), the programs under test
// (Build), private instances of the zones software (Instance), terminals (StartPty), and
// the proof that the host was not damaged (HashTree).
//
// It promises that what a test started is gone when the test ends: an instance halts and
// deletes its zones, and what is left of it all the same is named, fails the test, and is
// then removed, so that one broken test does not spoil the next. Everything is attributed
// before it is judged or removed: to this process, to its temporary directory, or to the
// tag of one of its instances. Packages run in parallel, and other people's mounts and
// processes come and go meanwhile.
//
// It refuses to skip in CI (CI=true): everything is present there, so a missing feature is
// a failure.
//
// Callers are tests. A package that uses it says
//
//	func TestMain(m *testing.M) { testenv.Main(m) }
//
// It imports nothing of the product but internal/layout, so that any room's own tests may
// import it.
//
// Environment: ZONES_BIN names a directory with the built programs (else Build builds
// them); ZONES_TEST_CACHE where fixtures are kept; ZONES_TEST_SLOW multiplies every
// deadline and divides what is repeated for chance's sake (emulation, sanitizers);
// ZONES_RACE=1 builds with the race detector; ZONES_KEEP=1 keeps the directory of a failed
// test's instance.
//
// Goroutines: one reader a Pty, which ends with it; HashTree's workers, which end before it
// returns. The list of the process's instances has a lock of its own.
package testenv
