-- not started yet, or nothing known
INSERT INTO cpu(machine_id, sample_id, cpu, mode, lin_rip, rip, rflags, intr_flag, smm, halted, mp_state, mp_name, nmi_masked, nmi_pending, smi_pending) VALUES
 (1, 0, 0, 'real', 65520, 65520, 2, 0, 0, 0, 1, 'uninitialized', 0, 0, 0),
 (1, 0, 1, 'long', 4097, 4097, NULL, NULL, 0, 1, 3, 'halted', 0, 0, 0),
 (1, 0, 2, 'long', 4097, 4097, 2, 0, 0, NULL, NULL, NULL, 0, 0, 0);
