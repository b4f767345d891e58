/* Knows the report's JSON.  SQLite writes it; json_text() makes a dump's text fit for it. */
#include <stdlib.h>

#include "cli/report.h"
#include "store/rank.h"
#include "views/query.h"

static const char findings_sql[] =
	"SELECT json_group_array(json(x)) FROM (SELECT json_object('rule', json(json_text(rule)),"
	" 'severity', json(json_text(severity)), 'confidence', json(json_text(confidence)),"
	" 'title', json(json_text(title)), 'subject', json(json_text(subject)), 'detail', "
	"json(json_text(detail)),"
	" 'why', json(json_text(why)), 'fix', json(json_text(fix)), 'machine_id', machine_id,"
	" 'evidence', json((SELECT json_group_array(json_object('tbl', json(json_text(tbl)), "
	"'row', row,"
	" 'text', json(json_text(text)))) FROM (SELECT * FROM evidence e WHERE e.machine_id = "
	"f.machine_id"
	" AND e.finding_id = f.finding_id ORDER BY nr)))) AS x"
	" FROM finding f ORDER BY " STORE_FINDING_ORDER ")";

static const char unevaluated_sql[] =
	"SELECT json_group_array(json(x)) FROM (SELECT json_object('machine_id', machine_id,"
	" 'rule', json(json_text(rule)), 'tbl', json(json_text(tbl)), 'state', "
	"json(json_text(state)),"
	" 'message', json(json_text(message))) AS x FROM unevaluated ORDER BY machine_id, rule, "
	"tbl)";

static const char gaps_sql[] =
	"SELECT json_group_array(json(x)) FROM (SELECT json_object('machine_id', g.machine_id,"
	" 'tbl', json(json_text(tbl)), 'space', json(json_text(s.name)), 'addr', hex64(addr), "
	"'length', length,"
	" 'status', json(json_text(status)), 'message', json(json_text(message))) AS x"
	" FROM gap g LEFT JOIN space s ON s.machine_id = g.machine_id AND s.space_id = g.space_id"
	" ORDER BY tbl <> 'dump', g.machine_id, g.rowid)";

static const char dumps_sql[] =
	"SELECT json_group_array(json(x)) FROM (SELECT json_object('content_id', content_id,"
	" 'format', format, 'variant', variant, 'file_bytes', file_bytes,"
	" 'producer', json(json_text(producer)), 'reason', reason) AS x FROM dump ORDER BY "
	"dump_id)";

static const char kernels_sql[] =
	"SELECT json_group_array(json(x)) FROM (SELECT json_object('machine_id', machine_id,"
	" 'os', os, 'note', note, 'source', source, 'release', json(json_text(release)),"
	" 'build_id', json(json_text(build_id)), 'text', hex64(text), 'last', hex64(last),"
	" 'kaslr_offset', hex64(kaslr_offset), 'phys_base', hex64(phys_base), 'root', hex64(root),"
	" 'levels', levels) AS x FROM kernel ORDER BY machine_id, nr)";

static const char cpus_sql[] =
	"SELECT json_group_array(json(x)) FROM (SELECT json_object('machine_id', machine_id,"
	" 'cpu', cpu, 'mode', mode, 'rip', hex64(rip), 'lin_rip', hex64(lin_rip),"
	" 'rsp', hex64(rsp), 'rflags', hex64(rflags), 'cr0', hex64(cr0), 'cr3', hex64(cr3),"
	" 'cr4', hex64(cr4), 'smm', smm, 'smbase', hex64(smbase), 'halted', halted,"
	" 'if', intr_flag, 'state', mp_name, 'exit', exit_name) AS x"
	" FROM cpu WHERE sample_id = 0 ORDER BY machine_id, cpu)";

static void free_text(char **p)
{
	free(*p);
}

static enum inq_status put_list(struct session *s, FILE *out, const char *name, const char *sql,
				struct inq_err *err)
{
	INQ_SCOPED(free_text) char *list = NULL;
	enum inq_status st = query_text(s->store, sql, &list, err);

	if (!st)
		fprintf(out, ",\n\"%s\":%s", name, list ? list : "[]");
	return inq_wrap(err, st, "%s", name);
}

enum inq_status report_json(struct session *s, FILE *out, struct inq_err *err)
{
	int code = 0;
	enum inq_status st = report_exit(s, &code, err);

	if (!st)
		st = session_need(s, "kernel", err);
	if (!st)
		st = session_need(s, "cpu", err);
	if (st)
		return st;
	INQ_SCOPED(free_text) char *file = query_json_text(s->file);
	if (!file)
		return inq_fail(err, INQ_ENOMEM, "the report's JSON");
	fprintf(out, "{\"format\":1,\n\"file\":%s", file);
	st = put_list(s, out, "dumps", dumps_sql, err);
	if (!st)
		st = put_list(s, out, "kernels", kernels_sql, err);
	if (!st)
		st = put_list(s, out, "cpus", cpus_sql, err);
	if (!st)
		st = put_list(s, out, "findings", findings_sql, err);
	if (!st)
		st = put_list(s, out, "unevaluated", unevaluated_sql, err);
	if (!st)
		st = put_list(s, out, "gaps", gaps_sql, err);
	fprintf(out, ",\n\"exit\":%d}\n", code);
	return st;
}
