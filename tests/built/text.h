/* Dumps from text: readable, one statement a line; what tests and people write. */
#ifndef TESTS_BUILT_TEXT_H
#define TESTS_BUILT_TEXT_H

#include "built.h"

/* Something to ask of the dump once it is open, from a line of text. */
struct built_ask {
	bool smm, virt, runs; /* which space; runs or read */
	uint64_t addr, n;
};
/*
 * Build from text.  On a mistake prints file:line and exits with status 2.  Statements:
 *
 *	snapshot vcpus=2 [reason=1] [reason_vcpu=0] [realtime=NS] [text="..."]   first, or: core
 *	file [NAME] | folder NAME                or one of these: bytes as told by those of bytes.c
 *	@0x1000 55*4096 'text' deadbeef*4        a segment: hex bytes or 'text', with *times
 *	alias 0x9000 0                           a segment sharing the file range of segment 0
 *	memsz 0x2000                             of the last segment
 *	smram 0x30000 f4*65536                   a piece of address space 1; without bytes: the note
 *	zero-bitmap
 *	flight vcpu=0 nr=0 what=1 reason=2 ...   one record, as in struct inq_snap_flight
 *	rips vcpu=0 t_ns=1 rip=0x1000 flags=3    one sample, as in struct inq_snap_rip
 *	steps vcpu=0 [flags=3] [code=16|32|64] [cs_base=0] 0x1000=ebfe,rax=1 0x1002=f4 ...
 *	                                         one single step a word: rip, bytes there, registers
 *	                                         that are new; without code= no registers are told
 *	payload KIND vcpu=0 sample=0 hexbytes 'text' ...    a note of ours by its number, as it is
 *	regs|sregs2|debugregs|events|mp_state|run vcpu=0 field=value ...   as in struct kvm_...
 *	lapic vcpu=0 0x320=0x10000 ...           registers by their offset
 *	msrs vcpu=0 0x10=5 0x9e=refused ...
 *	cpuid2 vcpu=0 leaf.subleaf=eax,ebx,ecx,edx ...
 *	host key=value ...
 *	absent KIND vcpu=1 | failed KIND vcpu=1 error=22     KIND as above
 *	prstatus field=value ...                 r15 ... gs, as in user_regs_struct
 *	note NAME TYPE hexbytes
 *	pn-xnum | packed | ehsize 8
 *	poke 0x10 ff00 | truncate 0x1234         after everything else
 *
 * Of a file that is put together byte by byte (bytes.c):
 *	le 4 0x4c694d45 1                        integers of 4 bytes, little-endian
 *	bytes 55*4096 'text' deadbeef
 *	at 0x2000                                go on there
 *	json '{`a`:`{~b~:'                       ` is a double quote, ~ one within a string
 *	array 144 128=0x1000                     a structure as JSON has it, 8 bytes at an offset
 *	base 0x1000                              it is opened as memory without a header
 *	beside NAME                              go on with another file of its folder
 *	lime 0x1000 55*4096                      a range of LiME, version 1
 *	group NAME OFFSET SIZE | tag NAME/INDEX 4 VALUE | tag NAME/INDEX block BYTES | tag end
 *VMware windows type=1 bugcheck=0x101 p1=2 ...   the header of a Windows dump, see windows.c
 *	triage|context|special|kdbg field=value  structures of Windows, at the present place
 *	avml 0x1000 55*4096                      a range of AVML, version 2: in Snappy's frames
 *
 * Of a stream of QEMU's (stream.c), behind "file":
 *	be 4 7 0                                 integers of 4 bytes, big-endian
 *	qemu pc-q35-7.2 [mapped-ram]             header, and the capabilities
 *	ram pc.ram=0x4000 pc.bios=0x2000         the list of blocks
 *	pages part | pages end                   begins a part; eos ends it
 *	page pc.ram 0x1000 raw 55*4096           or: zero, packed BYTES; block - is the one before
 *	device cpu 0 env.eip:uint64=5 a/b:buffer=00*3,ff +sub c:uint8=1
 *	described                                the end, and what describes the devices
 *
 *	read phys 0x1000 16 | runs smm|virt 0x30000 0x2000   questions, returned in order
 *
 * Up to max questions go to asks.  The result is for built_free.
 */
struct built *built_parse(const char *file, const char *text, struct built_ask *asks, size_t max,
			  size_t *ret_nr_asks);
/* A text file whole; free it.  Exits with status 2 when it cannot be read. */
char *built_slurp(const char *path);
/* The same as built_parse for a file on disk, without questions. */
struct built *built_parse_file(const char *path);

#endif
