/*
 * Fuzz target: any bytes as a snapshot that is to be resumed.  Its checksums are put right first,
 * or nothing behind them would ever be looked at.
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <zlib.h>

#include "vmm/load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { MAX_FILE = 1 << 20, CRC_OF_NOTES = 88 };

/* The payload of the first header note in the notes; 0: there is none. */
static size_t find_header(const uint8_t *file, size_t at, size_t end)
{
	Elf64_Nhdr h;

	while (end - at >= sizeof(h)) {
		memcpy(&h, file + at, sizeof(h));
		size_t desc = sizeof(h) + (((size_t)h.n_namesz + 3) & ~(size_t)3);
		size_t bytes = desc + (((size_t)h.n_descsz + 3) & ~(size_t)3);

		if (bytes > end - at)
			return 0;
		if (h.n_type == (INQ_SNAP_NOTE_TYPE | INQ_SNAP_HEADER) &&
		    h.n_descsz >= sizeof(struct inq_snap_note) + sizeof(struct inq_snap_header))
			return at + desc + sizeof(struct inq_snap_note);
		at += bytes;
	}
	return 0;
}

static void set_crc(uint8_t *file, size_t field, size_t at, size_t n)
{
	uint32_t crc = (uint32_t)crc32_z(0, file + at, n);

	memcpy(file + field, &crc, sizeof(crc));
}

static void fix_checksums(uint8_t *file, size_t n)
{
	Elf64_Ehdr e;
	Elf64_Phdr p;

	if (n < sizeof(e) + sizeof(p))
		return;
	memcpy(&e, file, sizeof(e));
	memcpy(&p, file + sizeof(e), sizeof(p));
	size_t headers = sizeof(e) + (size_t)e.e_phnum * sizeof(p);
	if (p.p_offset > n || p.p_filesz > n - p.p_offset)
		return;
	size_t at = find_header(file, p.p_offset, p.p_offset + p.p_filesz);
	if (!at)
		return;
	if (headers <= n)
		set_crc(file, at + CRC_OF_NOTES + 4, 0, headers);
	memset(file + at + CRC_OF_NOTES, 0, 4);
	set_crc(file, at + CRC_OF_NOTES, p.p_offset, p.p_filesz);
}

/* Everything that a resume would look at. */
static unsigned touch(const struct vmm_load *l)
{
	unsigned sum = 0;

	for (size_t i = 0; i < l->nr_notes; i++)
		for (size_t k = 0; k < l->note[i].n; k++)
			sum += l->note[i].p[k];
	for (uint32_t cpu = 0; cpu <= l->header.nr_vcpus; cpu++)
		for (unsigned kind = 0; kind < 64; kind++)
			sum += vmm_load_note(l, cpu, (enum inq_snap_kind)kind) != NULL;
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static volatile unsigned sum;
	static char path[32];
	static int fd = -1;
	struct vmm_memory *m = NULL;
	struct vmm_load *l = NULL;
	struct inq_err err;

	if (fd < 0) {
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	uint8_t *file = malloc(n + 1);
	if (n > MAX_FILE || !file) {
		free(file);
		return 0;
	}
	memcpy(file, data, n);
	fix_checksums(file, n);
	if (ftruncate(fd, 0) || pwrite(fd, file, n, 0) != (ssize_t)n)
		abort();
	free(file);
	if (!vmm_load_open(&l, path, &err)) {
		sum += touch(l);
		if (!vmm_load_memory(l, &m, &err))
			vmm_memory_destroy(m);
	}
	vmm_load_close(l);
	return 0;
}
