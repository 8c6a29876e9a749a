#!/bin/busybox sh
# The guest's first process, from its initrd: loads what the disk needs, goes on to systemd.
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
while read -r module; do
	/bin/busybox insmod "/modules/$module" || /bin/busybox echo "initrd: insmod $module failed"
done </modules/order
tries=0
until /bin/busybox mount -t ext4 -o rw /dev/vda /root 2>/dev/null; do
	tries=$((tries + 1))
	if [ $tries -gt 100 ]; then
		/bin/busybox echo "initrd: no root file system on /dev/vda"
		/bin/busybox poweroff -f
	fi
	/bin/busybox usleep 100000
done
/bin/busybox umount /proc
/bin/busybox mount --move /dev /root/dev
exec /bin/busybox switch_root /root /sbin/init
