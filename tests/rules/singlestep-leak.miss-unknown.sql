-- DR6 was not saved
INSERT INTO cpu(machine_id, sample_id, cpu, rflags, lin_rip, cpl, smm, mp_state) VALUES
 (1, 0, 0, 514, 4096, 0, 0, 0);
INSERT INTO dbgreg(machine_id, sample_id, cpu, name, value) VALUES
 (1, 0, 0, 'dr6', NULL);
