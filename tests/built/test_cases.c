/*
 * Built dumps: each case is a text that describes a dump, and beside it what the loader must say of
 * it.  usage: test_cases CASE.txt ...; BLESS=1 writes the .expect files anew.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "text.h"

enum { MAX_ASKS = 64, SHOWN = 16, MAX_READ = 1 << 20 };

static const char *const extent_names[] = {"bytes", "absent", "excluded"};
static const char *const run_names[] = {"bytes", "zero", "absent", "packed"};
static const char *const state_names[] = {"present", "absent", "failed"};

static void show_bytes(FILE *out, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n && i < SHOWN; i++)
		fprintf(out, " %02x", p[i]);
	fputs(n > SHOWN ? " ...\n" : "\n", out);
}

static void show_dump(FILE *out, const struct inq_dump *d)
{
	fprintf(out, "%s, %s, 0x%" PRIx64 " bytes\n", d->format, d->variant, d->file_bytes);
	if (d->header)
		fprintf(out, "header vcpus=%" PRIu32 " reason=%" PRIu32 " '%s' '%s'\n",
			d->header->nr_vcpus, d->header->reason, d->header->producer,
			d->header->reason_text);
	for (size_t i = 0; i < d->nr_extents; i++)
		fprintf(out, "extent 0x%" PRIx64 "..0x%" PRIx64 " %s at 0x%" PRIx64 "\n",
			d->extents[i].first, d->extents[i].last, extent_names[d->extents[i].kind],
			d->extents[i].file_off);
	for (size_t i = 0; i < d->nr_blobs; i++) {
		const struct inq_blob *b = &d->blobs[i];
		fprintf(out, "blob kind=%" PRIu32 " vcpu=%d %s", b->kind, (int)b->vcpu,
			state_names[b->state]);
		if (b->error)
			fprintf(out, " error=%d", b->error);
		fprintf(out, " %zu bytes\n", b->n);
	}
	for (size_t i = 0; i < d->nr_rings; i++)
		fprintf(out,
			"ring vcpu=%" PRIu32 " records %" PRIu64 "+%" PRIu32 " of %" PRIu32
			" bytes at 0x%" PRIx64 "\n",
			d->rings[i].vcpu, d->rings[i].first, d->rings[i].count,
			d->rings[i].record_bytes, d->rings[i].file_off);
	for (size_t i = 0; i < d->nr_damages; i++)
		fprintf(out, "damage %s %s 0x%" PRIx64 "+0x%" PRIx64 ": %s\n",
			inq_status_name(d->damages[i].status),
			d->damages[i].in_memory ? "memory" : "file", d->damages[i].addr,
			d->damages[i].length, d->damages[i].message);
	fprintf(out, "smm %s\n", d->smm ? "yes" : "no");
	for (size_t i = 0; i < d->nr_virt_extents; i++)
		fprintf(out, "virt 0x%" PRIx64 "..0x%" PRIx64 " at 0x%" PRIx64 "\n",
			d->virt_extents[i].first, d->virt_extents[i].last,
			d->virt_extents[i].file_off);
}

static void ask_read(FILE *out, const struct inq_space *sp, const struct built_ask *q)
{
	static uint8_t buf[MAX_READ];
	struct inq_err err = {0};
	enum inq_status st =
		q->n > MAX_READ ? INQ_ELIMIT : inq_read(sp, q->addr, buf, (size_t)q->n, &err);

	fprintf(out, "read %s 0x%" PRIx64 ":", sp->name, q->addr);
	if (st)
		fprintf(out, " %s at 0x%" PRIx64 ": %s\n", inq_status_name(st), err.addr, err.msg);
	else
		show_bytes(out, buf, (size_t)q->n);
}

static void ask_runs(FILE *out, const struct inq_space *sp, const struct built_ask *q)
{
	for (uint64_t done = 0; done < q->n;) {
		struct inq_run run;
		struct inq_err err;
		fprintf(out, "run %s 0x%" PRIx64 ":", sp->name, q->addr + done);
		if (inq_runs(sp, q->addr + done, (size_t)(q->n - done), &run, &err)) {
			fprintf(out, " %s\n", err.msg);
			return;
		}
		fprintf(out, " %s 0x%zx", run_names[run.kind], run.len);
		show_bytes(out, run.p, run.p ? run.len : 0);
		done += run.len;
	}
}

static const struct inq_space *space_of(const struct inq_dump *d, const struct built_ask *q)
{
	if (q->virt)
		return d->virt;
	return q->smm ? d->smm : d->phys;
}

static char *answer(const char *path)
{
	struct built_ask asks[MAX_ASKS];
	size_t nr_asks, said_n;
	char *text = built_slurp(path), *said = NULL;
	struct built *b = built_parse(path, text, asks, MAX_ASKS, &nr_asks);
	FILE *out = open_memstream(&said, &said_n);
	struct built_place at;
	struct inq_dump *d;
	struct inq_err err;

	built_place(b, &at);
	const uint64_t *base = built_base(b);
	if (base ? inq_dump_open_raw(at.path, *base, &d, &err) : inq_dump_open(at.path, &d, &err)) {
		fprintf(out, "%s: %s\n", inq_status_name(err.status),
			strchr(err.msg, ':') ? strchr(err.msg, ':') + 2 : err.msg);
	} else {
		show_dump(out, d);
		for (size_t i = 0; i < nr_asks; i++) {
			const struct inq_space *sp = space_of(d, &asks[i]);
			if (!sp)
				fprintf(out, "no %s\n", asks[i].smm ? "smm" : "virt");
			else
				(asks[i].runs ? ask_runs : ask_read)(out, sp, &asks[i]);
		}
		inq_dump_close(d);
	}
	fclose(out);
	built_unplace(b, &at);
	built_free(b);
	free(text);
	return said;
}

static int check(const char *path)
{
	char expect[4096], *said = answer(path);
	size_t stem = strlen(path) - strlen(".txt");

	snprintf(expect, sizeof(expect), "%.*s.expect", (int)stem, path);
	if (getenv("BLESS")) {
		FILE *f = fopen(expect, "w");
		if (!f || fputs(said, f) < 0 || fclose(f))
			return 1;
	}
	char *wanted = built_slurp(expect);
	int bad = strcmp(said, wanted) != 0;
	if (bad)
		printf("%s\n--- wanted\n%s--- got\n%s", path, wanted, said);
	free(wanted);
	free(said);
	return bad;
}

int main(int argc, char **argv)
{
	int bad = argc < 2;

	for (int i = 1; i < argc; i++)
		bad += check(argv[i]);
	printf("%d cases, %d bad\n", argc - 1, bad);
	return bad != 0;
}
