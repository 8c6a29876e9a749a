// Package smtpnotify is smtp-notify: it tells people by mail that instances have come into another
// state, those whom notification parameters name (setnotify of svccfg). It is a service,
// svc:/system/fm/smtp-notify, and not a part of svc.startd.
//
//	svc.startd --svc/outbox--> Main: whom? (repository) --> a letter --> the zone's sendmail
//
// Whom: of the transition's two groups, to-STATE and from-STATE, each as the instance runs with it, or
// else as the global instance has it (package manifest says which groups there are). What both say alike
// is sent once.
//
// It promises:
//   - A change is taken before its letters are written: who is killed sends none of them twice.
//   - One letter is sent at a time, and sendmail has mailMax for it. What it refuses is not tried again,
//     since nobody knows what it has done: it is told in the log, as is how many were not sent so far.
//   - No text of a service or an administrator makes a second header: control characters are question
//     marks, and an address that has any is refused. Nothing is given to a shell.
//   - Parameters for another way than mail are told of in the log, each kind once.
//
// Headers and macros of templates are the original's, and REASON, DETAIL and TIMESTAMP; its text is
// ours. cc, bcc, from and subject are understood beside to, reply-to and msg_template.
//
// Limits: addressesMax, addressBytesMax, templateBytesMax, outputBytesMax, mailMax; saidMax texts are
// remembered so as not to be said twice. Goroutines: one that waits for the end of the context. Who may
// call: cmd/svc. How it dies: SIGTERM ends it when the letter that is being sent is; the outbox keeps
// what waits. An outbox that is gone ends it, and its restarter starts it again.
//
// Source of behaviour: smtp-notify(8), smf(7), svccfg(8).
package smtpnotify
