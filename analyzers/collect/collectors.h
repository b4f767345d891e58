/* Adding a table: one new file, one name in this list, one line in meson.build. */
#ifndef ANALYZERS_COLLECTORS_H
#define ANALYZERS_COLLECTORS_H

#include <inquest/collect.h>

#define ANALYZERS_COLLECTORS(X)                                                                    \
	X(kernel)                                                                                  \
	X(kernel_fact)                                                                             \
	X(cpu)                                                                                     \
	X(reg)                                                                                     \
	X(dbgreg)                                                                                  \
	X(msr)                                                                                     \
	X(lapic_reg)                                                                               \
	X(smm)                                                                                     \
	X(smm_save)                                                                                \
	X(pt_entry)                                                                                \
	X(pt_refused)                                                                              \
	X(mem_range)                                                                               \
	X(insn)                                                                                    \
	X(loop)                                                                                    \
	X(loop_insn)                                                                               \
	X(loop_gate)                                                                               \
	X(gate_writer)                                                                             \
	X(flight)                                                                                  \
	X(rip_sample)                                                                              \
	X(last_known)                                                                              \
	X(twin)                                                                                    \
	X(step)                                                                                    \
	X(write_log)                                                                               \
	X(trace)                                                                                   \
	X(bugcheck)                                                                                \
	X(bugcheck_param)                                                                          \
	X(windows_cpu)                                                                             \
	X(sysinfo)                                                                                 \
	X(log)                                                                                     \
	X(task)                                                                                    \
	X(frame)                                                                                   \
	X(cpu_os)                                                                                  \
	X(rcu)                                                                                     \
	X(module)                                                                                  \
	X(vmcs_field)                                                                              \
	X(vmcs_bit)                                                                                \
	X(vmcb_field)                                                                              \
	X(vmcb_bit)                                                                                \
	X(entry_check)

#define COLLECTOR_DECLARE(n) extern const struct inq_collector collect_##n;
ANALYZERS_COLLECTORS(COLLECTOR_DECLARE)
#undef COLLECTOR_DECLARE

/* NULL behind the last. */
const struct inq_collector *collector_at(size_t i);
const struct inq_collector *collector_find(const char *table);

#endif
