/* What the collectors of notes that tell of the time before have in common. */
#ifndef ANALYZERS_COLLECT_HISTORY_H
#define ANALYZERS_COLLECT_HISTORY_H

#include <inquest/collect.h>

/* v when that flag is set, else unknown. */
struct inq_value history_known(uint32_t flags, uint32_t flag, struct inq_value v);
/* Of enum inq_snap_flight_flags: was it in SMM? */
struct inq_value history_smm(uint32_t flags);

/* A gap row that says what is wrong with a note. */
INQ_MUST enum inq_status history_damaged(const struct inq_machine *m, struct inq_sink *out,
					 const char *what, struct inq_err *err);

/* Rows of each note of that kind; a guest's own machine has none. */
typedef enum inq_status history_blob_fn(const struct inq_machine *m, const struct inq_blob *b,
					struct inq_sink *out, struct inq_err *err);
INQ_MUST enum inq_status history_each(const struct inq_machine *m, enum inq_snap_sample sample,
				      enum inq_snap_kind kind, history_blob_fn *rows,
				      struct inq_sink *out, struct inq_err *err);

#endif
