/* What must hold for a machine, whatever the dump is that it was made of. */
#ifndef FUZZ_TOUCH_MACHINE_H
#define FUZZ_TOUCH_MACHINE_H

#include <inquest/machine.h>

/* Look at its CPUs, its kernel and its spaces.  Aborts when a promise does not hold. */
void touch_machine(const struct inq_machine *m);

#endif
