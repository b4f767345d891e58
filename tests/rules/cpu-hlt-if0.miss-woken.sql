-- about to be woken by an NMI or an SMI
INSERT INTO cpu(machine_id, sample_id, cpu, mode, lin_rip, rip, rflags, intr_flag, smm, halted, mp_state, mp_name, nmi_masked, nmi_pending, smi_pending) VALUES
 (1, 0, 0, 'long', 4097, 4097, 2, 0, 0, 1, 3, 'halted', 0, 1, 0),
 (1, 0, 1, 'long', 4097, 4097, 2, 0, 0, 1, 3, 'halted', 0, 0, 1);
