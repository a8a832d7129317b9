#!/usr/bin/env bash
# Runs test programs of the engine with instructions that this processor may lack (AMX, AVX-512, AVX-VNNI): in the
# emulator Bochs, below a Linux kernel, each set by itself on a processor that has it. Needs root, Debian and 6 GB of
# disk; building the two takes a quarter of an hour and a set ten minutes and more, so no other goal runs it.
#
#   test/emulator.sh [SET...]       amx, avx512_bf16, avx512_vnni, avx512, avx2_vnni; all of them if none is named
#
#   PROGRAMS="kernel/test_gemm"     programs to run, instead of those below
#   EMULATOR=DIRECTORY              keeps the emulator and the kernel there, for the next call
#
# Both are built from Debian's sources. Bochs 3.0, for three errors of its AMX: TDPBUSD takes signed bytes for unsigned
# ones, XSAVE stores half of a tile, and says that tiles are in use when they aren't. Linux, since Bochs hasn't the means
# (XFD) by which Linux gives tiles to those who ask: here all processes have them, saved and restored like other
# registers, and the request is granted. What is run are the programs that "make programs" builds, with this system's libraries.
#
# The last line says "N passed, N failed".
set -euo pipefail
umask 022
export LC_ALL=C.UTF-8
cd "$(dirname "$0")/.."

suite=trixie
declare -A processor=([amx]=sapphire_rapids [avx512_bf16]=sapphire_rapids [avx512_vnni]=corei7_icelake_u
	[avx512]=corei7_skylake_x [avx2_vnni]=arrow_lake)
sets=${*:-amx avx512_bf16 avx512_vnni avx512 avx2_vnni}
for set in $sets; do
	[ -n "${processor[$set]:-}" ] || { echo "test/emulator.sh: no set \"$set\"; there are: ${!processor[*]}" >&2; exit 2; }
done
programs=${PROGRAMS:-kernel/test_dispatch kernel/test_tiles kernel/test_convert kernel/test_rows kernel/test_gemm
	kernel/test_attention kernel/test_activation}
for command in dpkg apt-get; do
	command -v $command >/dev/null || { echo "test/emulator.sh: this is no Debian system" >&2; exit 1; }
done
[ "$(id -u)" -eq 0 ] || { echo "test/emulator.sh: only root can set up another system in a directory" >&2; exit 1; }

say() { printf '%s\n' "$*"; }
passed=0 failed=0 unfinished=true emulator_pid=
work=${TMPDIR:-/tmp}/roformer-emulator.$$
mkdir -m 700 "$work"
system=$work/system
if [ -n "${EMULATOR:-}" ] && [ -e "$EMULATOR" ]; then
	[ -e "$EMULATOR/boot/kernel" ] || { echo "test/emulator.sh: $EMULATOR is something else" >&2; rmdir "$work"; exit 2; }
	system=$EMULATOR
fi
finish()
{
	local status=$?
	trap - EXIT
	[ -z "$emulator_pid" ] || kill "$emulator_pid" 2>/dev/null || true
	rm -rf "$work"
	if $unfinished; then failed=$((failed + 1)); fi
	say "$passed passed, $failed failed"
	exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

# step WHAT COMMAND...: shows what is done, and of its output only what a failure leaves.
step()
{
	local what=$1
	shift
	say "$what"
	"$@" >"$work/step.log" 2>&1 </dev/null || { tail -n 30 "$work/step.log"; say "failed: $what"; exit 1; }
}
inside() { nice chroot "$system" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }

# change FILE EXPRESSION...: a sed that must change something.
change()
{
	local file=$system/source/$1 expression
	shift
	for expression in "$@"; do
		cp "$file" "$work/before"
		sed -E -i "$expression" "$file"
		! cmp -s "$work/before" "$file" || { say "nothing to change in $file: $expression"; exit 1; }
	done
}

build_emulator()
{
	inside sh -c 'mkdir -p /source/bochs && tar xJf /source/bochs_*.orig.tar.xz -C /source/bochs --strip-components=1' >/dev/null
	change bochs/cpu/xsave.cc 's/tile_use_tracker == 0/tile_use_tracker != 0/' 's/row < BX_TILE_REGISTERS/row < BX_TILE_MAX_ROWS/'
	change bochs/cpu/avx/amx.cc '/Bit32u DPBDUS\(/,/^}/s/Bit32s\((ybyte.[0-3].)\)/Bit32s(Bit8s(\1))/'
	step "building the emulator" inside sh -c 'cd /source/bochs && CXXFLAGS=-O2 ./configure --enable-x86-64 --enable-avx \
		--enable-evex --enable-amx --enable-all-optimizations --disable-show-ips --with-nogui && make -s -j"$(nproc)" bochs && cp bochs /usr/local/bin/'
}

# The smallest kernel that runs the programs: serial line, files in memory, seccomp.
build_kernel()
{
	local option
	step "unpacking the kernel's source" inside sh -c 'mkdir -p /source/linux && tar xJf /usr/src/linux-source-*.tar.xz \
		-C /source/linux --strip-components=1'
	change linux/arch/x86/include/asm/fpu/xstate.h 's/^#define XFEATURE_MASK_USER_DYNAMIC.*/#define XFEATURE_MASK_USER_DYNAMIC 0ULL/'
	change linux/arch/x86/include/asm/fpu/types.h 's/u8 __padding\[PAGE_SIZE\];/u8 __padding[4 * PAGE_SIZE];/'
	change linux/arch/x86/kernel/fpu/core.c '/BUILD_BUG_ON\(XFEATURE_MASK_USER_DYNAMIC/d'
	for option in 64BIT PRINTK TTY SERIAL_8250 SERIAL_8250_CONSOLE BLK_DEV_INITRD BINFMT_ELF BINFMT_SCRIPT PROC_FS SHMEM \
		TMPFS DEVTMPFS FUTEX EPOLL EVENTFD POSIX_TIMERS MULTIUSER NET SECCOMP SECCOMP_FILTER KERNEL_GZIP CC_OPTIMIZE_FOR_PERFORMANCE HZ_100; do
		echo "CONFIG_$option=y"
	done >"$system/source/kernel.config"
	step "building the kernel" inside sh -c 'cd /source/linux && make -s tinyconfig &&
		scripts/kconfig/merge_config.sh -m .config /source/kernel.config && make -s olddefconfig && make -s -j"$(nproc)" bzImage && cp arch/x86/boot/bzImage /boot/kernel'
}

build_system()
{
	command -v debootstrap >/dev/null || step "installing debootstrap" apt-get -q install -y --no-install-recommends debootstrap
	step "setting up Debian $suite in $system" debootstrap --variant=minbase "$suite" "$system"
	sed 's/^deb /deb-src /' "$system/etc/apt/sources.list" >"$system/etc/apt/sources.list.d/source.list"
	mkdir -p "$system/source"
	inside sh -c 'printf "#!/bin/sh\nexit 101\n" >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d'
	step "installing compilers and firmware there" inside sh -c 'apt-get -q update && apt-get -q install -y --no-install-recommends \
		g++ make flex bison bc perl libc6-dev libelf-dev xz-utils pkg-config linux-source bochsbios vgabios busybox-static cpio \
		grub-pc-bin grub-common xorriso mtools && cd /source && apt-get -q source --download-only --tar-only bochs'
	build_emulator
	build_kernel
	rm -rf "$system/source"
	[ -n "${EMULATOR:-}" ] || return 0
	mv "$system" "$EMULATOR"
	system=$EMULATOR
}

# The programs, the libraries they name, and a script that runs them for one set.
make_disk()
{
	local set=$1 root=$work/root program library
	rm -rf "$root" "$system/disk"
	mkdir -p "$root"/{bin,proc,dev,tmp,lib64,test} "$system/disk/boot/grub"
	cp "$system/bin/busybox" "$root/bin/"
	[[ $programs != *golden/* ]] || cp -r test/golden/data "$root/golden"
	{
		echo '#!/bin/busybox sh'
		echo 'PATH=/bin; busybox mount -t proc proc /proc; busybox --install /bin; mount -t devtmpfs dev /dev'
		echo 'exec >/dev/ttyS0 2>&1 </dev/null'
		echo "export CMOCKA_MESSAGE_OUTPUT=TAP LD_LIBRARY_PATH=/lib64 ROFORMER_GOLDEN=/golden TMPDIR=/tmp ROFORMER_TEST_KERNELS=$set"
		for program in $programs; do
			# The emulator writes the line to its file in blocks: blanks bring out what went before.
			echo "echo '# begin $program'; /test/$program; echo \"# end $program \$?\"; printf '%4096s\n' ''"
		done
		echo 'reboot -f'
	} >"$root/init"
	chmod 755 "$root/init"
	for program in $programs; do
		mkdir -p "$root/test/$(dirname "$program")"
		strip -o "$root/test/$program" "build/test/$program"
		ldd "build/test/$program" | awk '$2 == "=>" { print $3 } $1 ~ /^\// { print $1 }' | while read -r library; do
			[ -e "$root/lib64/$(basename "$library")" ] || cp -L "$library" "$root/lib64/"
		done
	done
	rm -rf "$system/root/disk"
	mv "$root" "$system/root/disk"
	inside sh -c 'cd /root/disk && find . | cpio -o -H newc --quiet >/disk/boot/files && rm -rf /root/disk'
	cp "$system/boot/kernel" "$system/disk/boot/"
	cat >"$system/disk/boot/grub/grub.cfg" <<-END
		linux /boot/kernel console=ttyS0,115200 quiet reboot=t panic=-1 tsc_early_khz=20000 lpj=200000
		initrd /boot/files
		boot
	END
	inside grub-mkrescue -o /disk.iso /disk >"$work/disk.log" 2>&1 || { cat "$work/disk.log"; exit 1; }
}

start_emulator()
{
	cat >"$system/bochsrc" <<-END
		display_library: nogui
		megs: 2048
		cpu: model=$1, count=1, ips=20000000, reset_on_triple_fault=0
		clock: sync=none
		romimage: file=/usr/share/bochs/BIOS-bochs-latest
		vgaromimage: file=/usr/share/vgabios/vgabios.bin
		ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
		ata0-master: type=cdrom, path=/disk.iso, status=inserted
		boot: cdrom
		com1: enabled=1, mode=file, dev=/serial
		log: /bochs.log
		panic: action=fatal
		error: action=ignore
		info: action=ignore
	END
	rm -f "$system/serial"
	touch "$system/serial"
	nice timeout -k 10 7200 chroot "$system" bochs -q -f /bochsrc >"$work/bochs.log" 2>&1 </dev/null &
	emulator_pid=$!
}

# What the programs said, as TAP: a program that didn't end well without a failed test is a failure of its own.
count()
{
	local set=$1 program good bad
	for program in $programs; do
		sed -n "\:^# begin $program\r*\$:,\:^# end $program :p" "$system/serial" | tr -d '\r' >"$work/program.log"
		good=$(grep -E '^ok [0-9]' "$work/program.log" | grep -cviE '# skip' || true)
		bad=$(grep -E '^not ok [0-9]' "$work/program.log" | grep -cviE '# skip' || true)
		if ! grep -q "^# end $program 0" "$work/program.log" && [ "$bad" -eq 0 ]; then bad=1; fi
		printf '  %-6s %-44s %5d tests\n' "$([ "$bad" -eq 0 ] && echo ok || echo FAILED)" "$set/$program" $((good + bad))
		[ "$bad" -eq 0 ] || tail -n 40 "$work/program.log" | sed 's/^/        | /'
		passed=$((passed + good)) failed=$((failed + bad))
	done
}

run_set()
{
	local set=$1 shown=0 ended since=$SECONDS
	say "$set, on Bochs' ${processor[$set]}"
	make_disk "$set"
	start_emulator "${processor[$set]}"
	while kill -0 "$emulator_pid" 2>/dev/null; do
		sleep 5
		ended=$(grep -ac '^# end ' "$system/serial" || true)
		[ "$ended" -le "$shown" ] || say "         $(grep -a '^# end ' "$system/serial" | tail -n 1 | tr -d '\r' | cut -d ' ' -f 3) has ended, $((SECONDS - since)) s"
		shown=$ended
	done
	wait "$emulator_pid" || true
	emulator_pid=
	[ -s "$system/serial" ] || { say "the emulator said nothing:"; tail -n 5 "$system/bochs.log"; exit 1; }
	count "$set"
}

test/deps.sh
step "building the test programs" make -j"$(nproc)" PG_CONFIG="$(test/pg_config)" programs
[ -e "$system/boot/kernel" ] || build_system
for set in $sets; do
	run_set "$set"
done
unfinished=false
[ $failed -eq 0 ]
