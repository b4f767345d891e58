/* A disk: a file, and the requests of virtio-blk on it.  No KVM. */
#ifndef VMM_BLOCK_H
#define VMM_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <inquest/err.h>

enum {
	VMM_SECTOR = 512,
	VMM_BLOCK_MAX_PARTS = 128,
	VMM_BLOCK_MAX_BYTES = 8 << 20, /* of a request: all vCPUs' devices wait meanwhile */
};

struct vmm_block {
	int fd;
	bool read_only;
	uint64_t sectors; /* whole ones */
};

/* A stretch of guest memory in a request; the guest may change it at any time. */
struct vmm_block_part {
	uint8_t *at;
	uint32_t bytes;
	bool writable; /* for the device */
};

/*
 * FILE[:ro] as a disk, a regular file or a block device, locked against another machine's writes.
 * INQ_EUSAGE when it cannot be opened, is in use, or has no whole sector.
 */
INQ_MUST enum inq_status vmm_block_open(struct vmm_block **ret, const char *spec,
					struct inq_err *err);
/* FILE of FILE[:ro]; true: it has the ":ro". */
bool vmm_block_path(const char *spec, char *to, size_t size);
void vmm_block_close(struct vmm_block *b); /* NULL is fine */

/*
 * Do what a request of nr parts asks for, readable parts first, and put its status into its last
 * byte: an error for more than VMM_BLOCK_MAX_BYTES.  Returns the number of bytes written into its
 * parts; 0: no request at all.
 */
uint32_t vmm_block_request(const struct vmm_block *b, const struct vmm_block_part *part,
			   unsigned nr);

#endif
