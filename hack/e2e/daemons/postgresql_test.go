package daemons

import "strings"

// sql runs a statement as the cluster's superuser.
func sql(statement string) string {
	return "PGCONNECT_TIMEOUT=5 setpriv --reuid=postgres --regid=postgres --clear-groups psql -XAtq -v ON_ERROR_STOP=1 -d postgres -c \"" + statement + "\""
}

func sqlIs(statement, want string) string {
	return "[ \"$(" + strings.ReplaceAll(sql(statement), `"`, `'`) + ")\" = " + want + " ]"
}

func postgresql() *daemon {
	const conf = "conf=$(ls /var/lib/postgresql/*/main/postgresql.conf)\n"
	return &daemon{
		fmri: "svc:/application/database/postgresql:default", manifest: "application/database/postgresql.xml", configured: "application/database/postgresql",
		comm: "postgres", user: "postgres",
		answers: sqlIs("select 40 + 2", "42"),
		change:  sql("create table if not exists t (n int); insert into t values (7)") + "\n" + conf + "echo 'work_mem = 7MB' >>$conf; echo 'fsync = off' >>$conf", changed: sqlIs("show work_mem", "7MB"),
		wrong: conf + "echo 'work_mem = nonsense' >>$conf", wrongSays: "invalid value for parameter \"work_mem\"", right: conf + "sed -i '$d' $conf",
		kept: sqlIs("select sum(n) from t", "7"),
		crashes: []crash{
			{what: "the master is killed", do: "kill -9 $M", log: byExit, exit: true},
			{what: "a worker is killed", do: "kill -9 $W", stays: true},
			{what: "the master dumps core", do: withCore("$M"), log: byExit, exit: true},
			{what: "a worker dumps core", do: withCore("$W"), stays: true},
			{what: "it ends", do: "kill -INT $M", log: byExit, exit: true},
			{what: "all are killed", do: "kill -9 $ALL", log: byExit, exit: true},
		},
	}
}
