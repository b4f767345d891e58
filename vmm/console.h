/* The other end of the guest's serial port: a file, a terminal, a pseudo terminal. */
#ifndef VMM_CONSOLE_H
#define VMM_CONSOLE_H

#include <inquest/err.h>

struct vmm_console;
struct vmm_vm;

/*
 * where: "-" standard output; "stdio" that, and what is typed goes to the guest (on a terminal
 * Ctrl-A x ends the run, Ctrl-A s asks for a snapshot, Ctrl-A Ctrl-A is one Ctrl-A); "pty" a new
 * pseudo terminal, whose name is printed; else a file, emptied.  NULL: *ret is NULL, what the guest
 * sends is lost.  others: paths of files, NULL at the end, that this must not be (NULL: none).
 * INQ_EUSAGE when it cannot be opened, or is one of them.
 */
INQ_MUST enum inq_status vmm_console_open(struct vmm_console **ret, const char *where,
					  const char *const *others, struct inq_err *err);

/*
 * From now on what comes in goes to that VM, until vmm_console_detach() (before the VM is
 * destroyed).  NULL and consoles without input are fine.
 */
INQ_MUST enum inq_status vmm_console_attach(struct vmm_console *c, struct vmm_vm *vm,
					    struct inq_err *err);
void vmm_console_detach(struct vmm_console *c);

/* Closes it.  INQ_EIO when not all that the guest sent could be written.  NULL is fine. */
INQ_MUST enum inq_status vmm_console_close(struct vmm_console *c, struct inq_err *err);

#endif
