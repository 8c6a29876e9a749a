package daemons

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

// big is a daemon of half a gigabyte in small pages, which takes the kernel a while to free; only
// then is the port free too, and it does not ask for that twice.
const big = `
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(7777)};
	int s = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	size_t n = 512 << 20;
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(s, (void *)&a, sizeof(a)) || listen(s, 5)) {
		perror("bind");
		return 1;
	}
	if (fork())
		_exit(0);
	char *p = mmap(0, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(p, n, MADV_NOHUGEPAGE);
	memset(p, 1, n);
	s = open("/var/tmp/up", O_WRONLY | O_CREAT | O_APPEND, 0644);
	write(s, "up\n", 3);
	for (;;)
		pause();
}
`

// TestPortIsFree: a service is started again when the processes before are gone for good, with all
// that they had, however they ended.
func TestPortIsFree(t *testing.T) {
	t.Parallel()
	z := newZone(t)
	source, program := filepath.Join(t.TempDir(), "big.c"), filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(source, []byte(big), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-O1", "-static", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	z.write("/var/tmp/big", string(text))
	z.in("chmod 755 /var/tmp/big")
	z.write("/var/tmp/big.xml", `<?xml version='1.0'?>
<!DOCTYPE service_bundle SYSTEM '/usr/share/lib/xml/dtd/service_bundle.dtd.1'>
<service_bundle type='manifest' name='big'><service name='site/big' type='service' version='1'>
<create_default_instance enabled='true'/>
<exec_method type='method' name='start' exec='/var/tmp/big' timeout_seconds='60'/>
<exec_method type='method' name='stop' exec=':kill' timeout_seconds='60'/>
</service></service_bundle>
`)
	const fmri = "svc:/site/big:default"
	z.in("svccfg import /var/tmp/big.xml")
	for n := 1; ; n++ {
		z.wait(60*time.Second, fmt.Sprintf("start %d", n), func() (string, bool) {
			s := z.look(fmri)
			up, _ := z.try("grep -c up /var/tmp/up")
			return z.in("svcs -l " + fmri + "; tail -n 20 " + logOf(fmri)), s.state == "online" && s.next == "-" && s.starts == n && up == fmt.Sprintln(n) && s.agree()
		})
		if n > testenv.Rounds(4, 3) {
			break
		}
		z.in([]string{"kill -9 $(svcs -pHo fmri site/big | awk 'NR > 1 {print $2}')", "svcadm restart site/big"}[n%2])
	}
	if said, failed := z.try("grep 'bind:' " + logOf(fmri)); failed {
		t.Errorf("%s", said)
	}
}
