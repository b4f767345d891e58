/*
 * Knows what people hand over by mistake, and dumps of others that no loader here reads yet.
 * Source: the magic numbers of file(1); QEMU docs/devel/migration; makedumpfile.h.
 */
#include "base/text.h"
#include "loader/loaders.h"

static const struct {
	const char *magic;
	size_t n;
	const char *what;
} known[] = {
	{"\x7f"
	 "ELF",
	 4, "an ELF file"},
	{"\x89PNG", 4, "a PNG picture"},
	{"\xff\xd8\xff", 3, "a JPEG picture"},
	{"%PDF", 4, "a PDF document"},
	{"\x1f\x8b", 2, "gzip: unpack it first"},
	{"\xfd"
	 "7zXZ",
	 5, "xz: unpack it first"},
	{"\x28\xb5\x2f\xfd", 4, "zstd: unpack it first"},
	{"\x04\x22\x4d\x18", 4, "lz4: unpack it first"},
	{"BZh", 3, "bzip2: unpack it first"},
	{"PK\x03\x04", 4, "a zip archive: unpack it first"},
	{"SQLite format 3", 15, "an SQLite database, perhaps an index of inquest"},
	{"DISKDUMP", 8, "a diskdump"},
	{"QEVM", 4, "a QEMU migration stream"},
	{"LibvirtQemudSave", 16, "a libvirt save file"},
	{"QFI\xfb", 4, "a qcow2 disk image"},
	{"\0\0\x64\x86\x84\x19\x10\x07", 8,
	 "the state of a Firecracker snapshot: open its memory file"},
};

static int all_printable(struct span head)
{
	while (head.left) {
		size_t n = text_printable(head.p, head.left);
		if (!n && (*head.p == '\n' || *head.p == '\t' || *head.p == '\r'))
			n = 1;
		if (!n)
			return head.left < 4 && *head.p >= 0xc2; /* a character cut by the end */
		span_skip(&head, n);
	}
	return 1;
}

static int all_zero(struct span head)
{
	while (head.left)
		if (span_u8(&head))
			return 0;
	return 1;
}

const char *loader_guess(struct span head)
{
	if (!head.left)
		return "an empty file";
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (head.left >= known[i].n && !memcmp(head.p, known[i].magic, known[i].n))
			return known[i].what;
	if (all_zero(head))
		return "zeros";
	return all_printable(head) ? "text" : "binary data";
}
