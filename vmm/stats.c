/*
 * Knows the binary statistics of Linux 5.14 and later (api.rst, KVM_GET_STATS_FD): a header, a
 * descriptor per statistic, values of 64 bits.  What is read is bounded here, whatever it says.
 */
#include "vmm/stats.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

enum { MAX_NAME = 256, MAX_DESC = 1024, MAX_VALUES = 4096 };

/* The name stands behind the descriptor. */
union desc {
	struct kvm_stats_desc d;
	char bytes[sizeof(struct kvm_stats_desc) + MAX_NAME + 1];
};

static int read_at(int fd, void *p, size_t n, uint64_t off)
{
	ssize_t r = pread(fd, p, n, (off_t)off);

	return r == (ssize_t)n ? 0 : r < 0 ? errno : EIO;
}

static int print_one(int fd, const struct kvm_stats_header *h, uint64_t at, FILE *to)
{
	union desc d = {.bytes = {0}};
	int bad = read_at(fd, &d, sizeof(d.d) + h->name_size, at);

	if (bad || !d.d.size || d.d.size > MAX_VALUES)
		return bad ? bad : EIO;
	fprintf(to, "%s", d.bytes + sizeof(d.d));
	for (unsigned i = 0; i < d.d.size; i++) {
		uint64_t v;

		bad = read_at(fd, &v, sizeof(v),
			      h->data_offset + (uint64_t)d.d.offset + (uint64_t)8 * i);
		if (bad)
			return bad;
		fprintf(to, "%c%" PRIu64, i ? ',' : '=', v);
	}
	fputc('\n', to);
	return 0;
}

static int print_all(int fd, FILE *to)
{
	struct kvm_stats_header h;
	int bad = read_at(fd, &h, sizeof(h), 0);

	if (!bad && (h.name_size > MAX_NAME || h.num_desc > MAX_DESC))
		bad = EIO;
	for (uint32_t i = 0; !bad && i < h.num_desc; i++)
		bad = print_one(fd, &h,
				h.desc_offset +
					(uint64_t)i * (sizeof(struct kvm_stats_desc) + h.name_size),
				to);
	return bad;
}

char *vmm_stats_text(int fd, size_t *ret_len, int *ret_error)
{
	int stats = ioctl(fd, KVM_GET_STATS_FD, NULL);
	char *text = NULL;

	if (stats < 0) {
		*ret_error = errno;
		return NULL;
	}
	FILE *f = open_memstream(&text, ret_len);
	int bad = f ? print_all(stats, f) : ENOMEM;
	if (f && fclose(f) && !bad)
		bad = ENOMEM;
	close(stats);
	if (bad) {
		free(text);
		*ret_error = bad;
		return NULL;
	}
	return text;
}
