-- an SMI handler: what was interrupted is in the save area
INSERT INTO cpu(machine_id, sample_id, cpu, rflags, lin_rip, cpl, smm, mp_state) VALUES
 (1, 0, 0, 2, 4096, 0, 1, 0);
INSERT INTO dbgreg(machine_id, sample_id, cpu, name, value) VALUES
 (1, 0, 0, 'dr6', 4294922224);
