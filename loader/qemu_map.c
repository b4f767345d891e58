/*
 * Knows where QEMU's PC machines have their memory.  Source: QEMU's hw/i386/pc.c (pc_memory_init,
 * pc_cmos_init), pc_piix.c, pc_q35.c, hw/pci-host/i440fx.c, q35.c, pam.c.
 *
 * How much RAM lies below 4 GiB depends on the machine, its version and an option; QEMU tells its
 * firmware in the CMOS, which is in the stream.  PAM and SMRAM are registers of the host bridge.
 */
#include <inttypes.h>
#include <stdio.h>

#include "loader/qemu.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define GIB4 (UINT64_C(1) << 32)

enum {
	VGA = 0xa0000,
	VGA_END = 0xc0000,
	ROMS_END = 0x100000,
	BIOS = 0xe0000,
	PAM_BIOS = 0xf0000, /* from here on one PAM register counts, below one each 16 KiB */
	PAM_BYTES = 0x4000,
	SMBASE = 0x30000, /* what q35 can hide of it, for the first SMI of a plugged CPU */
	SMBASE_END = 0x50000,
};
/* Of the SMRAM register */
enum { D_OPEN = 0x40, G_SMRAME = 0x08 };
/* Of q35: F_SMBASE, ESMRAMC and the size of an extended TSEG in MiB */
enum { F_SMBASE = 0x9c, SMBASE_LOCKED = 2, ESMRAMC = 0x9e, T_EN = 1, EXT_TSEG = 0x50 };

static const struct bridge {
	const char *config; /* its PCI configuration space, 256 bytes */
	uint8_t pam, smram; /* registers in it */
	bool q35;
	uint64_t most, below; /* RAM of `most` bytes or more: so much below 4 GiB */
} bridges[] = {
	{"0000:00:00.0/mch.parent_obj.config", 0x90, 0x9d, true, 0xb0000000, 0x80000000},
	{"0000:00:00.0/I440FX.parent_obj.config", 0x59, 0x72, false, 0xe0000000, 0xc0000000},
};

/* What is known of the machine while its map is made. */
struct chips {
	const struct bridge *bridge; /* NULL: unknown */
	const uint8_t *config;
	uint64_t ram, below; /* bytes of RAM, and of it those below 4 GiB */
	uint64_t ram_page;
};

static const uint8_t *vm_value(const struct qemu *q, const char *name, size_t want)
{
	size_t n = 0;
	const uint8_t *p = named_find(q->vm.p, q->vm.n, name, &n);

	return p && n == want ? p : NULL;
}

/* The bridge's configuration; PCI Express has a second field of that name, so ours is numbered. */
static void find_bridge(const struct qemu *q, struct chips *c)
{
	char name[QEMU_NAME];

	for (size_t i = 0; i < sizeof(bridges) / sizeof(*bridges) && !c->config; i++) {
		(void)snprintf(name, sizeof(name), "%s[0]", bridges[i].config);
		c->bridge = &bridges[i];
		c->config = vm_value(q, name, 256);
		if (!c->config)
			c->config = vm_value(q, bridges[i].config, 256);
	}
	if (!c->config)
		c->bridge = NULL;
}

static uint64_t cmos_word(const uint8_t *cmos, unsigned at, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)cmos[at + i] << 8 * i;
	return v;
}

/* RAM below 4 GiB as the CMOS has it; 0: it does not say, or something else than the blocks do. */
static uint64_t below_by_cmos(const struct qemu *q, uint64_t ram)
{
	const uint8_t *cmos = vm_value(q, "mc146818rtc.cmos_data", 128);
	uint64_t high = cmos ? cmos_word(cmos, 0x5b, 3) * 64 * KIB : 0, below = ram - high;

	if (!cmos || high >= ram)
		return 0;
	uint64_t units = cmos_word(cmos, 0x34, 2), kib = cmos_word(cmos, 0x30, 2);
	if (below > 16 * MIB)
		return units == (below - 16 * MIB) / (64 * KIB) ? below : 0;
	return below > MIB && kib == (below - MIB) / KIB ? below : 0;
}

static uint64_t below_by_rule(const struct chips *c)
{
	if (!c->bridge)
		return c->ram < bridges[0].below ? c->ram : bridges[0].below;
	return c->ram < c->bridge->most ? c->ram : c->bridge->below;
}

static void add(struct qemu_places *to, uint64_t first, uint64_t end, uint64_t page)
{
	struct qemu_place *before = to->nr ? &to->at[to->nr - 1] : NULL;

	if (first < end && before && before->last + 1 == first &&
	    before->page + (first - before->first) / LOADER_PAGE == page) {
		before->last = end - 1;
		return;
	}
	if (first < end && to->nr < QEMU_MAX_PLACES)
		to->at[to->nr++] = (struct qemu_place){first, end - 1, page};
}

/* RAM from first on; below 4 GiB it lies where it has its address. */
static void add_ram(struct qemu_places *to, const struct chips *c, uint64_t first, uint64_t end)
{
	uint64_t most = c->below;

	add(to, first, end < most ? end : most, c->ram_page + first / LOADER_PAGE);
}

/* A block of firmware that ends at `end`; of it the part from `first` on, or all when 0. */
static uint64_t add_rom(const struct qemu *q, struct qemu_places *to, const char *name,
			uint64_t first, uint64_t end)
{
	const struct qemu_block *b = qemu_block_named(q, name);

	if (!b || !b->bytes || b->bytes > end)
		return end;
	uint64_t start = end - b->bytes;
	if (first < start)
		first = start;
	add(to, first, end, b->page0 + (first - start) / LOADER_PAGE);
	return start;
}

/* What a read at addr, from VGA_END to ROMS_END, goes to: RAM, or the ROMs below it. */
static bool pam_reads_ram(const struct chips *c, uint64_t addr)
{
	if (!c->config)
		return true;
	if (addr >= PAM_BIOS)
		return c->config[c->bridge->pam] >> 4 & 1;
	unsigned nr = (unsigned)(addr - VGA_END) / PAM_BYTES;
	return c->config[c->bridge->pam + 1 + nr / 2] >> (nr % 2 ? 4 : 0) & 1;
}

static void add_pam(const struct qemu *q, struct qemu_places *to, const struct chips *c)
{
	const char *bios = qemu_block_named(q, "pc.bios") ? "pc.bios" : "isa-bios";

	for (uint64_t at = VGA_END, end; at < ROMS_END; at = end) {
		end = at >= PAM_BIOS ? ROMS_END : at + PAM_BYTES;
		const struct qemu_block *rom = qemu_block_named(q, at < BIOS ? "pc.rom" : bios);
		uint64_t rom_end = at < BIOS ? BIOS : ROMS_END;
		if (pam_reads_ram(c, at))
			add_ram(to, c, at, end);
		else if (rom && rom->bytes >= rom_end - at)
			add(to, at, end, rom->page0 + (rom->bytes - (rom_end - at)) / LOADER_PAGE);
	}
}

/* Bytes of TSEG, at the end of RAM below 4 GiB; 0: there is none, or it is hidden. */
static uint64_t tseg_bytes(const struct chips *c)
{
	static const uint64_t mib[] = {1, 2, 8};

	if (!c->config || !c->bridge || !c->bridge->q35 ||
	    !(c->config[c->bridge->smram] & G_SMRAME) || !(c->config[ESMRAMC] & T_EN))
		return 0;
	unsigned size = c->config[ESMRAMC] >> 1 & 3;
	uint64_t bytes = (size < 3 ? mib[size] : cmos_word(c->config, EXT_TSEG, 2)) * MIB;
	return bytes < c->below ? bytes : 0;
}

static void find_ram(const struct qemu *q, struct chips *c)
{
	const struct qemu_block *b = qemu_block_named(q, "pc.ram");
	uint64_t next = 0;

	if (!b)
		b = qemu_block_named(q, "/objects/pc.ram");
	if (b) {
		c->ram = b->bytes;
		c->ram_page = b->page0;
		return;
	}
	/* NUMA: a block for each node, in order, whose pages follow each other */
	for (size_t i = 0; i < q->nr_blocks; i++) {
		b = &q->blocks[i];
		if (strncmp(b->name, "ram-node", 8) != 0 && strncmp(b->name, "/objects/", 9) != 0)
			continue;
		if (c->ram && b->page0 != next)
			return;
		if (!c->ram)
			c->ram_page = b->page0;
		c->ram += b->bytes;
		next = b->page0 + b->bytes / LOADER_PAGE;
	}
}

/* Outside SMM, and what lies elsewhere for a CPU in SMM. */
static void make_places(struct qemu *q, const struct chips *c)
{
	uint8_t smram = c->config ? c->config[c->bridge->smram] : 0;
	bool hidden = c->bridge && c->bridge->q35 && c->config[F_SMBASE] == SMBASE_LOCKED;
	uint64_t tseg = c->below - tseg_bytes(c);

	if (hidden) {
		add_ram(&q->phys, c, 0, SMBASE);
		add_ram(&q->smm, c, SMBASE, SMBASE_END);
		add_ram(&q->phys, c, SMBASE_END, VGA);
	} else {
		add_ram(&q->phys, c, 0, VGA);
	}
	if (smram & D_OPEN)
		add_ram(&q->phys, c, VGA, VGA_END);
	else if (smram & G_SMRAME)
		add_ram(&q->smm, c, VGA, VGA_END);
	add_pam(q, &q->phys, c);
	add_ram(&q->phys, c, ROMS_END, tseg);
	add_ram(&q->smm, c, tseg, c->below);
	uint64_t vars_end = add_rom(q, &q->phys, "system.flash0", 0, GIB4);
	if (vars_end != GIB4) { /* the second flash lies below the first: ascending order */
		q->phys.nr--;
		(void)add_rom(q, &q->phys, "system.flash1", 0, vars_end);
		(void)add_rom(q, &q->phys, "system.flash0", 0, GIB4);
	} else {
		(void)add_rom(q, &q->phys, "pc.bios", 0, GIB4);
	}
	add(&q->phys, GIB4, GIB4 + (c->ram - c->below), c->ram_page + c->below / LOADER_PAGE);
}

enum inq_status qemu_map(struct qemu *q, struct inq_err *err)
{
	struct chips c = {.bridge = NULL};

	find_ram(q, &c);
	find_bridge(q, &c);
	if (!c.ram)
		return inq_fail(err, INQ_EUNSUPPORTED,
				"none of its %zu blocks of memory is the RAM of a PC (machine "
				"%.60s): pc.ram, or one per NUMA node",
				q->nr_blocks, q->machine);
	c.below = below_by_cmos(q, c.ram);
	if (!c.below) {
		c.below = below_by_rule(&c);
		if (c.ram > c.below)
			loader_damage(q->d, INQ_ECORRUPT, 1, c.below, c.ram - c.below,
				      "the stream does not tell where RAM is split: 0x%" PRIx64
				      " taken, as is usual",
				      c.below);
	}
	make_places(q, &c);
	return INQ_OK;
}
