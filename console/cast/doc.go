// Package cast writes a recording of a terminal as asciicast v2: a line with the header, then a
// line for each event, with the seconds since the beginning.
//
//	{"version":2,"width":80,"height":24,"timestamp":1796047200,"title":"console of zone web"}
//	[0.012345,"o","login: "]
//	[3.141593,"r","132x50"]
//	[9.000001,"m","NOTICE: 500 bytes of console output lost"]
//
// It promises: times are of a monotonic clock and never go back; every line is whole, also after a
// write that failed, if the file can be cut; text is UTF-8, as JSON wants: a character whose
// bytes come in two pieces is in one event, and a byte that is no UTF-8 is U+FFFD.
//
// The header has the size that is known when the first event comes; a later one is an event.
//
// Who may call it: cmd/zoneadm, on one goroutine. No lock, no goroutine; it owns no descriptor.
// The source of the format is asciinema's description of asciicast v2.
package cast
