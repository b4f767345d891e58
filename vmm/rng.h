/* The only source of drawn values: the same seed draws the same guest on every machine. */
#ifndef VMM_RNG_H
#define VMM_RNG_H

#include <stdint.h>

struct vmm_rng {
	uint64_t state;
};

/* SplitMix64 (Steele, Lea, Flood 2014). */
static inline uint64_t vmm_rng_u64(struct vmm_rng *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* 0 to n - 1; n must not be 0.  The bias of the modulo is of no matter here. */
static inline uint64_t vmm_rng_below(struct vmm_rng *r, uint64_t n)
{
	return vmm_rng_u64(r) % n;
}

/* A multiple of align in [first, end); align divides first. */
static inline uint64_t vmm_rng_within(struct vmm_rng *r, uint64_t first, uint64_t end,
				      uint64_t align)
{
	return first + vmm_rng_below(r, (end - first + align - 1) / align) * align;
}

#endif
