-- out of SMM, with a save area left over from earlier
INSERT INTO cpu(machine_id, sample_id, cpu, mode, lin_rip, rip, smm, nmi_masked) VALUES
 (1, 0, 0, 'long', 4096, 4096, 0, 1);
INSERT INTO smm(machine_id, sample_id, cpu, in_smm, smbase, map, revision) VALUES
 (1, 0, 0, 0, 196608, 'amd64', 131172);
INSERT INTO smm_save(machine_id, sample_id, cpu, name, addr, value) VALUES
 (1, 0, 0, 'rip', 262008, 65536);
