// Package client is the logic of zlogin -C: a person's terminal, or a script's pipes, at a
// zone's console.
//
// It owns the terminal's modes while it runs and the connection. It promises:
//   - The terminal is put back on every way out: an escape, the console's end, a lost
//     connection, a signal (INT, TERM, HUP, QUIT), a panic; and while it is stopped (TSTP).
//     Only SIGKILL leaves it raw: then type ^J, stty sane, ^J.
//   - Input is passed on byte by byte but for escapes, which are recognised at the start of a
//     line only (zlogin(8)): ~. and ~^D end the session, ~~ sends one ~, and ~ with any other
//     character sends that character alone.
//   - A watcher sends nothing, and its terminal gets only what paints (console/vt); what was
//     typed and not read is thrown away at its end.
//   - Output is written as it came. When the supervisor dies, it connects to the next one, by
//     itself, for up to 10 s, and goes on at the byte where it was; if bytes are missing
//     then, it says how many. Escapes work all the time, also while output is stuck.
//   - What the zone's output has switched on in a terminal (colours, mouse, bracketed paste, margins,
//     the other screen) is switched off at the end, and a sequence that it has begun is ended.
//
// End of file on an input that is no terminal ends the input only: output is shown until the
// console ends or the client is told to go, so that `zlogin -r z </dev/null` watches. To end
// after the input, let it end in "\n~.".
//
// Input that a supervisor had taken and not yet given to the zone when it was killed is lost;
// output is not.
//
// It refuses nothing: who may use the console is decided by the directory of the socket and by
// the supervisor.
//
// Who may call it: cmd/zlogin, and zoned/admin for a recording, once a process, since signals are the process's. Goroutines: Run
// works on the caller's; one more waits for signals, one for each attempt to dial. Run returns
// when they ended, but for one that is still inside Options.Dial. No locks.
package client
