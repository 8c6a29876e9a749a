// Startd is svc.startd(8), /lib/svc/bin/svc.startd of a zone: see package svc/startd. By the name
// svc.configd it says that there is no such process here: svc.startd holds the repository.
package main
