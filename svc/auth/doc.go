// Package auth is the authorizations of a zone's users: words such as solaris.smf.modify that
// say what one may do who is not root. They are in the zone's files, in the originals' formats:
//
//	/etc/user_attr, /etc/user_attr.d/*                     user:::: auths=a,b;profiles=P
//	/etc/security/prof_attr, /etc/security/prof_attr.d/*   P:::what it is: auths=c;profs=Q
//	/etc/security/policy.conf                              AUTHS_GRANTED, PROFS_GRANTED: everybody's
//
// A user has the authorizations of his lines, of the profiles that they name, of the profiles
// that those name, and of everybody. The profile Stop ends the list: what comes after it, and what
// everybody has, is not his. An authorization may end in "*", which stands for all that begin so
// but for those whose last word is "grant".
//
// Lines of one name add up, wherever they are. There is no name service and no console user.
//
// The files are hostile input: their size, their number, the length of a line and the number of
// words have limits. What is over a limit is an error, and whoever is asked then gives nothing:
// an authorization is never there by mistake.
//
// Source of behaviour: user_attr(5), prof_attr(5), policy.conf(5), auth_attr(5),
// chkauthattr(3SECDB).
//
// Who may call: whoever serves users of the zone. No goroutines, no locks, nothing is cached.
package auth
