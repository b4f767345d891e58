-- halted with IF = 0; on the second CPU NMIs are masked too; of the third SMM is unknown;
-- at the fourth an NMI waits that is masked
INSERT INTO cpu(machine_id, sample_id, cpu, mode, lin_rip, rip, rflags, intr_flag, smm, halted, mp_state, mp_name, nmi_masked, nmi_pending, smi_pending) VALUES
 (1, 0, 0, 'long', 4097, 4097, 2, 0, 0, 1, 3, 'halted', 0, 0, 0),
 (1, 0, 1, 'long', 4097, 4097, 2, 0, 0, 1, 3, 'halted', 1, 0, 0),
 (1, 0, 2, 'long', 4097, 4097, 2, 0, NULL, 1, 3, 'halted', NULL, NULL, NULL),
 (1, 0, 3, 'long', 4097, 4097, 2, 0, 0, 1, 3, 'halted', 1, 1, 0);
