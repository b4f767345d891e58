-- the handler goes on
INSERT INTO cpu(machine_id, sample_id, cpu, nmi_pending, nmi_masked, smm, mp_state, intr_flag, lin_rip) VALUES
 (1, 0, 0, 1, 1, 0, 0, 0, 4096);
INSERT INTO loop(machine_id, sample_id, cpu, first, last, kind, smm) VALUES
 (1, 0, 0, 4096, 4097, 'open', 0);
