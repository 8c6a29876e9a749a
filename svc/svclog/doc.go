// Package svclog is the log files of services: one for each instance, to which svc.startd writes
// what it does with it, and the service's methods and processes what they print.
//
//	/var/svc/log/network-ssh:default.log      and .log.0 (the newest before it) to .log.7
//	/etc/svc/volatile/network-ssh:default.log  as long as the first cannot be written
//
// A line of svc.startd's is "[ Nov 30 07:41:02 Executing start method ("..."). ]", in local time.
//
// It promises:
//   - A line is written with one write to a file that is open for appending: lines do not mix.
//   - What a link or another kind of file stands for in a log's place is never written to.
//   - A log that is full (BytesMax) is kept as NAME.0, older ones move on, and the last one goes,
//     without its writers knowing: a service that has its log open as its standard output for a
//     year goes on with the same file. Where the file system can take away a file's beginning
//     (ext4, XFS: FALLOC_FL_COLLAPSE_RANGE), no byte is lost, though a line may begin in one file
//     and end in the next. Elsewhere the file is made empty when it has been copied, and what is
//     written between the two is lost: a few microseconds, each megabyte; and what a writer who is
//     faster than the copy has written beyond restMax.
//   - Whoever is killed meanwhile leaves a beginning twice, in NAME.0 and in the log, never none.
//
// Limits: a log has BytesMax before it is looked at again, Kept older ones; a text is cut at
// textBytesMax. Logs that were made early are not moved: the instance's alt_logfile names them.
//
// No goroutines; a Logs may be used by several at a time: one of them puts a log aside, and who comes
// meanwhile leaves that to the next look. Source of behaviour: log_instance and logadm of
// the original, svc.startd(8).
package svclog
