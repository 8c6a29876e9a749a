// Init is every program of ours inside a zone: one static binary, mounted read-only at
// /lib/svc/bin, that is what the last part of its name says:
//
//	init                                    pid 1 of the zone; otherwise the command
//	telinit halt poweroff reboot shutdown   ask pid 1 for something
//	zonename                                says which zone this is
//	ctrun ctstat ctwatch                    process contracts: package contract/tool
//	trampoline                              waits where init will be; becomes it
//	enter                                   first process of a zlogin
//	console-login                           init's child; becomes the console's shell
//	start-startd                            init's child; becomes svc.startd
//
// The last four are not for people. Nothing here uses fmt, encoding/json or net: the
// program is in memory once for each process of it in every zone.
package main
