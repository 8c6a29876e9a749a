package privilege

// info is what is known of one privilege.
type info struct {
	// basic privileges are those that any user's process has.
	basic bool
	// caps are Linux capabilities; none where Linux has nothing like it.
	caps []string
}

// table lists every privilege name that is accepted: those of privileges(7), and
// sys_boot, which is ours because Linux gives reboot(2) a capability of its own.
//
// CAP_SYS_ADMIN stands behind sys_mount and sys_admin alone. Inside a user namespace it
// is no power over the host, but it opens most of the kernel's code that was ever
// exploited from a container: a zone has it only when asked for.
var table = map[string]info{
	"contract_event":    {},
	"contract_identity": {},
	"contract_observer": {},
	"cpc_cpu":           {caps: []string{"CAP_PERFMON"}},
	"dtrace_kernel":     {caps: []string{"CAP_BPF", "CAP_PERFMON"}},
	"dtrace_proc":       {},
	"dtrace_user":       {},

	"file_chown":        {caps: []string{"CAP_CHOWN"}},
	"file_chown_self":   {},
	"file_dac_execute":  {caps: []string{"CAP_DAC_OVERRIDE"}},
	"file_dac_read":     {caps: []string{"CAP_DAC_READ_SEARCH"}},
	"file_dac_search":   {caps: []string{"CAP_DAC_READ_SEARCH"}},
	"file_dac_write":    {caps: []string{"CAP_DAC_OVERRIDE"}},
	"file_downgrade_sl": {},
	"file_flag_set":     {caps: []string{"CAP_LINUX_IMMUTABLE"}},
	"file_link_any":     {basic: true},
	"file_owner":        {caps: []string{"CAP_FOWNER", "CAP_LEASE"}},
	"file_read":         {basic: true},
	"file_setid":        {caps: []string{"CAP_FSETID", "CAP_SETFCAP"}},
	"file_upgrade_sl":   {},
	"file_write":        {basic: true},

	"graphics_access": {},
	"graphics_map":    {},
	"ipc_dac_read":    {caps: []string{"CAP_IPC_OWNER"}},
	"ipc_dac_write":   {caps: []string{"CAP_IPC_OWNER"}},
	"ipc_owner":       {caps: []string{"CAP_IPC_OWNER"}},

	"net_access":        {basic: true},
	"net_bindmlp":       {},
	"net_icmpaccess":    {caps: []string{"CAP_NET_RAW"}},
	"net_mac_aware":     {},
	"net_mac_implicit":  {},
	"net_observability": {caps: []string{"CAP_NET_RAW"}},
	"net_privaddr":      {caps: []string{"CAP_NET_BIND_SERVICE"}},
	"net_rawaccess":     {caps: []string{"CAP_NET_RAW"}},

	"proc_audit":         {caps: []string{"CAP_AUDIT_WRITE"}},
	"proc_chroot":        {caps: []string{"CAP_SYS_CHROOT"}},
	"proc_clock_highres": {caps: []string{"CAP_WAKE_ALARM"}},
	"proc_exec":          {basic: true},
	"proc_fork":          {basic: true},
	"proc_info":          {basic: true},
	"proc_lock_memory":   {caps: []string{"CAP_IPC_LOCK"}},
	"proc_owner":         {caps: []string{"CAP_KILL", "CAP_SYS_PTRACE"}},
	"proc_priocntl":      {caps: []string{"CAP_SYS_NICE"}},
	"proc_prioup":        {caps: []string{"CAP_SYS_NICE"}},
	"proc_secflags":      {basic: true},
	"proc_session":       {basic: true},
	// CAP_SETPCAP lets a process give up capabilities, which needs no privilege on
	// Solaris; login and daemons use it together with setuid.
	"proc_setid":  {caps: []string{"CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID"}},
	"proc_taskid": {},
	"proc_zone":   {},

	"sys_acct":         {caps: []string{"CAP_SYS_PACCT"}},
	"sys_admin":        {caps: []string{"CAP_SYS_ADMIN"}},
	"sys_audit":        {caps: []string{"CAP_AUDIT_CONTROL", "CAP_AUDIT_READ"}},
	"sys_boot":         {caps: []string{"CAP_SYS_BOOT"}},
	"sys_config":       {caps: []string{"CAP_SYSLOG", "CAP_SYS_MODULE"}},
	"sys_devices":      {caps: []string{"CAP_MKNOD", "CAP_SYS_TTY_CONFIG"}},
	"sys_dl_config":    {caps: []string{"CAP_NET_ADMIN"}},
	"sys_flow_config":  {caps: []string{"CAP_NET_ADMIN"}},
	"sys_ip_config":    {caps: []string{"CAP_NET_ADMIN"}},
	"sys_ipc_config":   {},
	"sys_iptun_config": {caps: []string{"CAP_NET_ADMIN"}},
	"sys_linkdir":      {},
	"sys_mount":        {caps: []string{"CAP_SYS_ADMIN"}},
	"sys_net_config":   {caps: []string{"CAP_NET_ADMIN", "CAP_SYS_MODULE"}},
	"sys_nfs":          {},
	"sys_ppp_config":   {caps: []string{"CAP_NET_ADMIN"}},
	"sys_res_bind":     {},
	"sys_res_config":   {},
	"sys_resource":     {caps: []string{"CAP_SYS_RESOURCE"}},
	"sys_share":        {},
	"sys_smb":          {},
	"sys_suser_compat": {},
	"sys_time":         {caps: []string{"CAP_SYS_TIME"}},
	"sys_trans_label":  {},
	"virt_manage":      {},
	"win_colormap":     {},
	"win_config":       {},
	"win_dac_read":     {},
	"win_dac_write":    {},
	"win_devices":      {},
	"win_dga":          {},
	"win_downgrade_sl": {},
	"win_fontpath":     {},
	"win_mac_read":     {},
	"win_mac_write":    {},
	"win_selection":    {},
	"win_upgrade_sl":   {},
	"xvm_control":      {},
}
