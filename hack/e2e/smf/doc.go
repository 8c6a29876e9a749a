// Package smf lives with the services of zones: their repository, as administrators in a zone, its
// users, and administrators of the host meet it. There is nothing in it but tests.
//
//	repository_test.go  what a zone boots with; its tools; who may change what; what stays
//	services_test.go    services come up, live and fail
//	random_test.go      svc.startd killed while services are; exact counts
//	down_test.go        the zone goes down
//	broken_test.go      svc.startd killed, and a repository that is damaged
//	records_test.go     who(1) and last(1) tell the truth
//	mail_test.go        who is named by setnotify is told
//	host_test.go        -z from the host, real manifests of others among what it imports
package smf
